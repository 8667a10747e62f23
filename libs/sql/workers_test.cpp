#include "libs/sql/workers.hpp"

#include <atomic>
#include <latch>
#include <memory>

#include <gtest/gtest.h>

namespace tollgate::sql {
namespace {

TEST(Workers, RefusesWhenTheQueueIsFullAndFinishesWhatIsQueued) {
  std::atomic<int> done = 0;
  std::latch started(1);
  std::latch released(1);
  {
    Workers workers("test", 1, 2);
    ASSERT_TRUE(workers.submit([&] {
      started.count_down();
      released.wait();
      ++done;
    }));
    started.wait();
    EXPECT_TRUE(workers.submit([&] { ++done; }));
    EXPECT_TRUE(workers.submit([&] { ++done; }));
    EXPECT_EQ(workers.submit([&] { ++done; }).error().code, base::ErrorCode::kOverLimit);
    released.count_down();
  }
  EXPECT_EQ(done, 3);
}

TEST(Workers, RunsOnSeveralThreadsAtOnce) {
  std::latch together(3);
  Workers workers("test", 3, 10);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(workers.submit([&] { together.arrive_and_wait(); }));
  }
  together.wait();
}

}  // namespace
}  // namespace tollgate::sql
