#include "libs/feed/rows.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"
#include "libs/feed/id_filter.hpp"

namespace tollgate::feed {
namespace {

// REQUIREMENTS 3.8: what was published does not change, whatever happens to the table after it.
TEST(PublishedRows, StaysAsPublishedWhileTheWorkingRowsChange) {
  base::SeededRandom random(38);
  WorkingRows<std::int64_t, std::string> working;
  std::map<std::int64_t, std::string> model;
  std::vector<std::pair<PublishedRows<std::int64_t, std::string>, std::map<std::int64_t, std::string>>> published;
  for (int round = 0; round < 60; ++round) {
    for (int change = 0; change < 50; ++change) {
      const auto key = static_cast<std::int64_t>(random.next() % 300);
      if (random.next() % 3 == 0) {
        working.erase(key);
        model.erase(key);
      } else {
        const std::string value = std::to_string(random.next());
        working.set(key, value);
        model[key] = value;
      }
    }
    published.emplace_back(working.publish(), model);
  }
  for (const auto& [map, expected] : published) {
    ASSERT_EQ(map.size(), expected.size());
    for (std::int64_t key = 0; key < 300; ++key) {
      const auto row = expected.find(key);
      const std::string* found = map.find(key);
      ASSERT_EQ(found != nullptr, row != expected.end());
      ASSERT_TRUE(found == nullptr || *found == row->second);
    }
  }
}

TEST(PublishedRows, SharesTheRowsThatDidNotChange) {
  WorkingRows<std::int64_t, std::string> working;
  for (std::int64_t key = 0; key < 10'000; ++key) {
    working.set(key, "same");
  }
  const auto before = working.publish();
  working.set(5, "changed");
  const auto after = working.publish();
  int copied = 0;
  for (std::int64_t key = 0; key < 10'000; ++key) {
    copied += before.find(key) == after.find(key) ? 0 : 1;
  }
  EXPECT_GE(copied, 1);
  EXPECT_LE(copied, 100) << "one shard of a thousand";
  EXPECT_EQ(*before.find(5), "same");
  EXPECT_EQ(*after.find(5), "changed");
}

TEST(PublishedRows, IsEmptyBeforeAnythingAndAfterClear) {
  EXPECT_EQ((PublishedRows<std::int64_t, int>().find(1)), nullptr);
  WorkingRows<std::int64_t, int> working;
  working.set(1, 1);
  const auto before = working.publish();
  working.clear();
  EXPECT_EQ(working.size(), 0U);
  EXPECT_EQ(working.publish().find(1), nullptr);
  EXPECT_NE(before.find(1), nullptr);
}

TEST(IdFilter, NamesEveryRowOrTheGivenIds) {
  EXPECT_EQ(IdFilter().where("id"), "");
  EXPECT_TRUE(IdFilter().values().empty());
  const std::vector<base::TrunkId> ids{base::TrunkId(4), base::TrunkId(9)};
  const IdFilter filter{std::span<const base::TrunkId>(ids)};
  EXPECT_EQ(filter.where("trunk_id"), " WHERE trunk_id IN (?,?)");
  EXPECT_EQ(filter.values(), (std::vector<sql::Value>{std::int64_t{4}, std::int64_t{9}}));
}

TEST(IdsOf, TakesTheIdsOfOneEntity) {
  const std::vector<Change> changes{{1, "trunk", 7, false}, {2, "customer", 8, false}, {3, "trunk", 9, true}};
  EXPECT_EQ(idsOf<base::TrunkId>(changes, "trunk"), (std::vector<base::TrunkId>{base::TrunkId(7), base::TrunkId(9)}));
}

class RefreshRows : public testing::Test {
 protected:
  using Rows = std::unordered_map<base::TrunkId, std::int64_t>;

  // Trunks with an even id exist; from piece `fail_from_` on reading fails.
  base::Result<void> refresh() {
    return refreshRows<std::int64_t, base::TrunkId>(
        ids_,
        [this](const IdFilter& filter, Rows& rows) -> base::Result<void> {
          sizes_.push_back(filter.values().size());
          if (sizes_.size() >= fail_from_) {
            return base::fail(base::ErrorCode::kUnavailable, "gone");
          }
          for (const auto& value : filter.values()) {
            const auto id = std::get<std::int64_t>(value);
            if (id % 2 == 0) {
              rows[base::TrunkId(id)] = id;
            }
          }
          return {};
        },
        [this](std::int64_t row) { set_ += row; }, [this](base::TrunkId id) { removed_ += id.value(); });
  }

  std::vector<base::TrunkId> ids_;
  std::vector<std::size_t> sizes_;
  std::size_t fail_from_ = 100;
  std::int64_t set_ = 0;
  std::int64_t removed_ = 0;
};

TEST_F(RefreshRows, SetsTheRowsThatExistAndRemovesTheOthers) {
  for (std::int64_t id = 1; id <= 1201; ++id) {
    ids_.emplace_back(id);
  }
  EXPECT_TRUE(refresh());
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{500, 500, 201}));
  EXPECT_EQ(set_, 600 * 601);
  EXPECT_EQ(removed_, 601 * 601);
}

TEST_F(RefreshRows, StopsAtTheFirstError) {
  for (std::int64_t id = 1; id <= 1201; ++id) {
    ids_.emplace_back(id);
  }
  fail_from_ = 2;
  EXPECT_FALSE(refresh());
  EXPECT_EQ(sizes_.size(), 2U);
  EXPECT_EQ(set_, 250 * 251) << "those of the first piece";
}

TEST_F(RefreshRows, ReadsNothingWithoutIds) {
  EXPECT_TRUE(refresh());
  EXPECT_TRUE(sizes_.empty());
}

}  // namespace
}  // namespace tollgate::feed
