#include "services/ingress/calls/call_table.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

TEST(CallTable, FindsACallUntilItIsRemovedAndNeverItsSuccessorInTheSameSlot) {
  CallTable<std::string> table;
  const auto first = table.add("first").ref;
  ASSERT_NE(table.find(first), nullptr);
  EXPECT_EQ(*table.find(first), "first");
  table.remove(first);
  EXPECT_EQ(table.find(first), nullptr);
  const auto second = table.add("second").ref;
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(*table.find(second), "second");
  table.remove(first);  // stale: nothing happens
  EXPECT_EQ(table.size(), 1U);
}

TEST(CallTable, WalksItsSlotsWhileCallsComeAndGo) {
  CallTable<int> table;
  const auto a = table.add(1).ref;
  (void)table.add(2);
  table.remove(a);
  int sum = 0;
  for (std::size_t i = 0; i < table.slots(); ++i) {
    if (const auto* call = table.at(i)) {
      sum += *call;
    }
  }
  EXPECT_EQ(sum, 2);
  EXPECT_EQ(table.at(99), nullptr);
  table.clear();
  EXPECT_EQ(table.size(), 0U);
}

TEST(PackedKey, CarriesCallAndRole) {
  const CallRef ref{.index = 0x0fedcba, .generation = PackedKey::kMask};
  const auto key = PackedKey::pack(ref, 200);
  EXPECT_EQ(PackedKey::call(key), ref);
  EXPECT_EQ(PackedKey::role(key), 200);
  EXPECT_NE(PackedKey::pack({0, 1}, 0), sofia::kNoKey);
}

}  // namespace
}  // namespace tollgate::ingress
