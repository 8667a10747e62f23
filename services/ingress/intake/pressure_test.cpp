// REQUIREMENTS 12.3: near the bound of the spool new calls are refused, and the room for the records of running calls is kept.
#include "services/ingress/intake/pressure.hpp"

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

constexpr PressureLimits kLimits{10'000'000, 1000};

spool::SpoolStats filled(std::int64_t bytes) {
  spool::SpoolStats stats;
  stats.disk_bytes = bytes;
  return stats;
}

TEST(Pressure, NewCallsAreRefusedNearTheBoundOfTheSpool) {
  EXPECT_FALSE(isOverloaded(kLimits, filled(8'999'999), 0, 0));
  EXPECT_TRUE(isOverloaded(kLimits, filled(9'000'000), 0, 0));
}

TEST(Pressure, TheRecordsOfRunningCallsHaveTheirRoom) {
  EXPECT_FALSE(isOverloaded(kLimits, filled(5'000'000), 249, 0));
  EXPECT_TRUE(isOverloaded(kLimits, filled(5'000'000), 250, 0));
}

TEST(Pressure, EndedCallsThatWaitAreBounded) {
  EXPECT_FALSE(isOverloaded(kLimits, filled(0), 0, 999));
  EXPECT_TRUE(isOverloaded(kLimits, filled(0), 0, 1000));
}

}  // namespace
}  // namespace tollgate::ingress
