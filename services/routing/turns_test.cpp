#include "services/routing/turns.hpp"

#include <map>

#include <gtest/gtest.h>

namespace tollgate::routing {
namespace {

std::vector<Share> shares(std::initializer_list<std::uint32_t> weights) {
  std::vector<Share> out;
  for (const auto weight : weights) {
    out.push_back({base::TrunkId(static_cast<std::int64_t>(out.size() + 1)), weight});
  }
  return out;
}

// REQUIREMENTS 3.6: percent = share of calls by weight; exact over each stretch as long as the sum of the weights.
TEST(Turns, GiveExactSharesOverEveryRound) {
  for (const auto& list : {shares({70, 20, 10}), shares({1, 1, 1}), shares({5, 0, 3}), shares({1}), shares({3, 97})}) {
    Turns turns;
    std::uint32_t sum = 0;
    for (const auto& share : list) {
      sum += share.weight;
    }
    for (int round = 0; round < 3; ++round) {
      std::map<std::size_t, std::uint32_t> count;
      for (std::uint32_t call = 0; call < sum; ++call) {
        ++count[turns.pick(list, false)];
      }
      for (std::size_t at = 0; at < list.size(); ++at) {
        EXPECT_EQ(count[at], list[at].weight);
      }
    }
  }
}

TEST(Turns, SpreadTheSharesInsteadOfServingThemInBlocks) {
  Turns turns;
  std::string order;
  for (int call = 0; call < 7; ++call) {
    order += static_cast<char>('a' + turns.pick(shares({5, 1, 1}), false));
  }
  EXPECT_EQ(order, "aabacaa");
}

TEST(Turns, TreatAllWeightsZeroAsEqual) {
  Turns turns;
  std::map<std::size_t, int> count;
  for (int call = 0; call < 30; ++call) {
    ++count[turns.pick(shares({0, 0, 0}), false)];
  }
  EXPECT_EQ(count, (std::map<std::size_t, int>{{0, 10}, {1, 10}, {2, 10}}));
}

// REQUIREMENTS 10.6: a route test tells what a real call would get and moves nothing.
TEST(Turns, ADryRunMovesNothing) {
  Turns turns;
  const auto list = shares({1, 1});
  EXPECT_EQ(turns.pick(list, false), 0U);
  EXPECT_EQ(turns.pick(list, true), 1U);
  EXPECT_EQ(turns.pick(list, true), 1U);
  EXPECT_EQ(turns.pick(list, false), 1U);
  EXPECT_EQ(turns.next(true), 0U);
  EXPECT_EQ(turns.next(false), 0U);
  EXPECT_EQ(turns.next(true), 1U);
}

TEST(Turns, StartAfreshWhenTheSharesChange) {
  Turns turns;
  EXPECT_EQ(turns.pick(shares({1, 1}), false), 0U);
  EXPECT_EQ(turns.pick(shares({1, 2}), false), 1U);
  EXPECT_EQ(turns.pick(shares({1, 2}), false), 0U);
  EXPECT_EQ(turns.pick(shares({1, 2}), false), 1U);
}

}  // namespace
}  // namespace tollgate::routing
