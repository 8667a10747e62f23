// REQUIREMENTS 8.2, 8.3: the longest prefix whose validity contains the call's start.
#include "libs/money/rate_table.hpp"

#include <map>

#include <gtest/gtest.h>

#include "libs/base/random.hpp"

namespace tollgate::money {
namespace {

using base::RateId;
using base::RatePlanId;

base::WallTime at(std::int64_t second) {
  return base::WallTime(std::chrono::seconds(second));
}

RateRow row(std::int64_t id, std::string prefix, std::int64_t from = 0, std::optional<std::int64_t> to = std::nullopt) {
  RateRow made;
  made.id = RateId(id);
  made.prefix = std::move(prefix);
  made.valid_from = at(from);
  if (to) {
    made.valid_to = at(*to);
  }
  made.per_minute_micros = id * 1000;
  return made;
}

std::shared_ptr<const PlanRates> plan(const std::vector<RateRow>& rows) {
  return PlanRates::build(RatePlanId(9), Currency::parse("USD").value(), rows).value();
}

std::int64_t idOf(const std::optional<Rate>& rate) {
  return rate ? rate->id.value() : 0;
}

TEST(PlanRates, PicksTheLongestPrefix) {
  const auto rates = plan({row(1, "3"), row(2, "37"), row(3, "374"), row(4, "3749"), row(5, "44")});
  EXPECT_EQ(idOf(rates->find("37410", at(5))), 3);
  EXPECT_EQ(idOf(rates->find("3749", at(5))), 4);
  EXPECT_EQ(idOf(rates->find("3710", at(5))), 2);
  EXPECT_EQ(idOf(rates->find("3", at(5))), 1);
  EXPECT_EQ(idOf(rates->find("44", at(5))), 5);
  EXPECT_EQ(idOf(rates->find("4", at(5))), 0);
  EXPECT_EQ(idOf(rates->find("", at(5))), 0);
}

TEST(PlanRates, EmptyPrefixCatchesEverything) {
  const auto rates = plan({row(1, ""), row(2, "44")});
  EXPECT_EQ(idOf(rates->find("", at(0))), 1);
  EXPECT_EQ(idOf(rates->find("1", at(0))), 1);
  EXPECT_EQ(idOf(rates->find("449", at(0))), 2);
  EXPECT_EQ(idOf(rates->find("#44", at(0))), 1);
}

TEST(PlanRates, FallsBackToAShorterPrefixWhenTheLongerIsNotValid) {
  const auto rates = plan({row(1, "37"), row(2, "374", 100, 200), row(3, "374", 300)});
  EXPECT_EQ(idOf(rates->find("3741", at(99))), 1);
  EXPECT_EQ(idOf(rates->find("3741", at(100))), 2);
  EXPECT_EQ(idOf(rates->find("3741", at(199))), 2);
  EXPECT_EQ(idOf(rates->find("3741", at(200))), 1);  // valid to is exclusive
  EXPECT_EQ(idOf(rates->find("3741", at(300))), 3);
}

TEST(PlanRates, GivesTheWholeRate) {
  RateRow full = row(7, "123456789012345");
  full.connection_fee_micros = 11;
  full.connection_seconds = 30;
  full.billing_block_seconds = 6;
  const auto found = plan({full})->find("1234567890123456789", at(1));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->prefix, "123456789012345");
  EXPECT_EQ(found->plan, RatePlanId(9));
  EXPECT_EQ(found->currency.text(), "USD");
  EXPECT_EQ(found->per_minute_micros, 7000);
  EXPECT_EQ(found->connection_fee_micros, 11);
  EXPECT_EQ(found->connection_seconds, 30);
  EXPECT_EQ(found->billing_block_seconds, 6);
}

TEST(PlanRates, RefusesAPrefixThatIsNotDigits) {
  for (const char* prefix : {"3a", "+44", "1234567890123456"}) {
    EXPECT_FALSE(PlanRates::build(RatePlanId(1), Currency(), {row(1, prefix)}).has_value()) << prefix;
  }
}

TEST(PlanRates, ChangesRowsWithoutTouchingTheOldTable) {
  const auto before = plan({row(1, "3"), row(2, "37"), row(3, "44")});
  const auto after = before->with({row(2, "374"), row(4, "1")}, {RateId(3)}).value();
  EXPECT_EQ(idOf(before->find("375", at(0))), 2);
  EXPECT_EQ(idOf(after->find("375", at(0))), 1);
  EXPECT_EQ(idOf(after->find("374", at(0))), 2);
  EXPECT_EQ(idOf(after->find("44", at(0))), 0);
  EXPECT_EQ(idOf(after->find("15", at(0))), 4);
  EXPECT_EQ(after->size(), 3U);
  EXPECT_TRUE(before->containsAny({RateId(8), RateId(3)}));
  EXPECT_FALSE(after->containsAny({RateId(8), RateId(3)}));
}

TEST(PlanRates, AnEmptyPlanFindsNothing) {
  EXPECT_FALSE(plan({})->find("44", at(0)).has_value());
}

TEST(PlanRates, AgreesWithASearchThroughAMap) {
  base::SeededRandom random(20261121);
  std::map<std::string, std::int64_t> by_prefix;
  std::vector<RateRow> rows;
  for (std::int64_t id = 1; id <= 3000; ++id) {
    std::string prefix = std::to_string(random.next() % 1'000'000);
    prefix.resize(std::min<std::size_t>(prefix.size(), random.next() % 7));
    if (by_prefix.emplace(prefix, id).second) {
      rows.push_back(row(id, prefix));
    }
  }
  const auto rates = plan(rows);
  for (int i = 0; i < 20'000; ++i) {
    const std::string digits = std::to_string(random.next() % 10'000'000);
    std::int64_t expected = 0;
    for (std::size_t length = digits.size() + 1; length-- > 0 && expected == 0;) {
      const auto found = by_prefix.find(digits.substr(0, length));
      expected = found == by_prefix.end() ? 0 : found->second;
    }
    ASSERT_EQ(idOf(rates->find(digits, at(0))), expected) << digits;
  }
}

TEST(RateTable, KeepsPlansApart) {
  const auto make = [](std::int64_t plan_id, std::int64_t rate_id) {
    return PlanRates::build(RatePlanId(plan_id), Currency(), {row(rate_id, "44")}).value();
  };
  const RateTable table({{RatePlanId(1), make(1, 10)}, {RatePlanId(2), make(2, 20)}});
  EXPECT_EQ(idOf(table.find(RatePlanId(1), "44", at(0))), 10);
  EXPECT_EQ(idOf(table.find(RatePlanId(2), "44", at(0))), 20);
  EXPECT_FALSE(table.find(RatePlanId(3), "44", at(0)).has_value());
}

TEST(PlanRates, ContainsExactlyTheRowsThatItWasBuiltFrom) {
  std::vector<RateRow> rows;
  PlanRates::Builder builder(base::RatePlanId(1), Currency::parse("USD").value());
  for (std::int64_t i = 1; i <= 1000; ++i) {
    RateRow row;
    row.id = base::RateId(i);
    row.prefix = std::to_string((i * 7919) % 997);
    row.valid_from = base::WallTime(std::chrono::seconds(i));
    row.per_minute_micros = i;
    ASSERT_TRUE(builder.add(row).has_value());
    rows.push_back(row);
  }
  RateRow broken;
  broken.prefix = "37x";
  EXPECT_FALSE(builder.add(broken).has_value());
  const auto plan = builder.build();
  EXPECT_EQ(plan->size(), rows.size());
  for (RateRow& row : rows) {
    EXPECT_TRUE(plan->contains(row)) << row.id.value();
    ++row.connection_fee_micros;
    EXPECT_FALSE(plan->contains(row)) << row.id.value();
    --row.connection_fee_micros;
    row.prefix += "1";
    EXPECT_FALSE(plan->contains(row)) << row.id.value();
  }
}

}  // namespace
}  // namespace tollgate::money
