#include "libs/bus/arrivals.hpp"

#include <gtest/gtest.h>

namespace tollgate::bus {
namespace {

using namespace std::chrono_literals;

constexpr Arrivals::Time kStart{1000s};

TEST(Arrivals, AMessageIsNewWhileCountsAreInTime) {
  Arrivals arrivals(200ms);
  EXPECT_EQ(arrivals.take(kStart), kStart);  // before the first count
  arrivals.count(kStart, 0);
  EXPECT_EQ(arrivals.take(kStart + 150ms), kStart + 150ms);
  // However long nothing came, the next message is new.
  for (auto at = kStart; at <= kStart + 60s; at += 200ms) {
    arrivals.count(at, 0);
  }
  EXPECT_EQ(arrivals.take(kStart + 60s), kStart + 60s);
}

TEST(Arrivals, TheWaitBehindABusyHandlerCounts) {
  Arrivals arrivals(200ms);
  arrivals.count(kStart, 0);
  (void)arrivals.take(kStart);
  // The handler is busy with it for a second: two more come in the first 200 ms, one in the last.
  arrivals.count(kStart + 200ms, 2);
  arrivals.count(kStart + 400ms, 2);
  arrivals.count(kStart + 600ms, 2);
  arrivals.count(kStart + 800ms, 2);
  EXPECT_EQ(arrivals.take(kStart + 1000ms), kStart + 200ms);
  EXPECT_EQ(arrivals.take(kStart + 1000ms), kStart + 200ms);
  EXPECT_EQ(arrivals.take(kStart + 1000ms), kStart + 1000ms);
}

TEST(Arrivals, TheTimeInWhichTheProcessWasStoppedCounts) {
  Arrivals arrivals(200ms);
  arrivals.count(kStart, 0);
  // Stopped for 5 s; the messages of that time are read before the next count, the last one after it.
  arrivals.count(kStart + 5000ms, 2);
  EXPECT_EQ(arrivals.take(kStart + 5001ms), kStart + 200ms);
  EXPECT_EQ(arrivals.take(kStart + 5001ms), kStart + 200ms);
  EXPECT_EQ(arrivals.take(kStart + 5001ms), kStart + 5001ms);
}

TEST(Arrivals, ACountThatWasTooHighIsCorrectedByTheNext) {
  Arrivals arrivals(200ms);
  arrivals.count(kStart, 0);
  arrivals.count(kStart + 200ms, 9);  // lost with the connection: never taken
  arrivals.count(kStart + 400ms, 0);
  EXPECT_EQ(arrivals.take(kStart + 500ms), kStart + 500ms);
}

}  // namespace
}  // namespace tollgate::bus
