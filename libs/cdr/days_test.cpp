#include "libs/cdr/days.hpp"

#include <gtest/gtest.h>

#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"

namespace tollgate::cdr {
namespace {

TEST(Days, ADayIsTheIdsOfItsCalls) {
  base::SeededRandom random(7);
  const base::WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(12));
  const Day day = dayOf(noon, 0);
  EXPECT_EQ(day.name, "p20261121");
  EXPECT_EQ(dayOf(noon, 10).name, "p20261201");
  EXPECT_EQ(dayOf(noon, -21).name, "p20261031");
  for (const auto before_midnight : {std::chrono::milliseconds(12 * 3'600'000), std::chrono::milliseconds(1)}) {
    const auto time = noon + std::chrono::hours(12) - before_midnight;
    const auto id =
        base::CallId::make(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count(), random).text();
    EXPECT_LT(id, day.below);
    EXPECT_GE(id, dayOf(noon, -1).below);
  }
  const auto midnight = noon + std::chrono::hours(12);
  EXPECT_GE(base::CallId::make(std::chrono::duration_cast<std::chrono::milliseconds>(midnight.time_since_epoch()).count(), random).text(),
            day.below);
  EXPECT_EQ(firstIdOf(base::WallTime(std::chrono::seconds(-5))), firstIdOf(base::WallTime{}));
}

}  // namespace
}  // namespace tollgate::cdr
