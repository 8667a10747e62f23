#include "libs/feed/sharded_map.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"
#include "libs/feed/in_chunks.hpp"

namespace tollgate::feed {
namespace {

// REQUIREMENTS 3.8: what was published does not change, whatever happens to the table after it.
TEST(ShardedMap, StaysAsPublishedWhileTheMasterChanges) {
  base::SeededRandom random(38);
  MasterMap<std::int64_t, std::string> master;
  std::map<std::int64_t, std::string> model;
  std::vector<std::pair<ShardedMap<std::int64_t, std::string>, std::map<std::int64_t, std::string>>> published;
  for (int round = 0; round < 60; ++round) {
    for (int change = 0; change < 50; ++change) {
      const auto key = static_cast<std::int64_t>(random.next() % 300);
      if (random.next() % 3 == 0) {
        master.erase(key);
        model.erase(key);
      } else {
        const std::string value = std::to_string(random.next());
        master.set(key, value);
        model[key] = value;
      }
    }
    published.emplace_back(master.publish(), model);
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

TEST(ShardedMap, SharesTheRowsThatDidNotChange) {
  MasterMap<std::int64_t, std::string> master;
  for (std::int64_t key = 0; key < 10'000; ++key) {
    master.set(key, "same");
  }
  const auto before = master.publish();
  master.set(5, "changed");
  const auto after = master.publish();
  int copied = 0;
  for (std::int64_t key = 0; key < 10'000; ++key) {
    copied += before.find(key) == after.find(key) ? 0 : 1;
  }
  EXPECT_GE(copied, 1);
  EXPECT_LE(copied, 100) << "one shard of a thousand";
  EXPECT_EQ(*before.find(5), "same");
  EXPECT_EQ(*after.find(5), "changed");
}

TEST(ShardedMap, IsEmptyBeforeAnythingAndAfterClear) {
  EXPECT_EQ((ShardedMap<std::int64_t, int>().find(1)), nullptr);
  MasterMap<std::int64_t, int> master;
  master.set(1, 1);
  const auto before = master.publish();
  master.clear();
  EXPECT_EQ(master.size(), 0U);
  EXPECT_EQ(master.publish().find(1), nullptr);
  EXPECT_NE(before.find(1), nullptr);
}

TEST(InChunks, AsksForEveryIdOnceAndStopsAtTheFirstError) {
  std::vector<base::TrunkId> ids;
  for (std::int64_t id = 1; id <= 1201; ++id) {
    ids.emplace_back(id);
  }
  std::vector<std::size_t> sizes;
  std::int64_t sum = 0;
  const auto read = [&](const std::string& in, const std::vector<sql::Value>& values,
                        std::span<const base::TrunkId> piece) -> base::Result<void> {
    sizes.push_back(piece.size());
    EXPECT_EQ(static_cast<std::size_t>(std::count(in.begin(), in.end(), '?')), values.size());
    for (const auto& value : values) {
      sum += std::get<std::int64_t>(value);
    }
    return {};
  };
  EXPECT_TRUE(inChunks(ids, read));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{500, 500, 201}));
  EXPECT_EQ(sum, 1201 * 1202 / 2);
  EXPECT_TRUE(inChunks(std::vector<base::TrunkId>{}, read));
  int asked = 0;
  const auto outcome = inChunks(ids, [&](const std::string&, const std::vector<sql::Value>&, std::span<const base::TrunkId>) {
    ++asked;
    return base::Result<void>(base::fail(base::ErrorCode::kUnavailable, "gone"));
  });
  EXPECT_FALSE(outcome);
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace tollgate::feed
