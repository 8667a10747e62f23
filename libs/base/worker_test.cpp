#include "libs/base/worker.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "libs/base/worker_pool.hpp"

namespace tollgate::base {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Nothing here may really take that long: a test that waits for it hangs, and its time-out is the failure.
constexpr auto kNever = 1h;

TEST(Worker, RunsATurnForEachWake) {
  std::promise<void> turns[3];
  Worker worker;
  worker.start("turns", [&] {
    for (auto& turn : turns) {
      if (!worker.wait()) {
        return;
      }
      turn.set_value();
    }
  });
  for (auto& turn : turns) {
    worker.wake();
    turn.get_future().wait();
  }
}

TEST(Worker, RemembersAWakeThatCameBeforeTheWait) {
  Worker worker;
  worker.wake();
  worker.wake();
  std::promise<bool> woken;
  worker.start("early", [&] { woken.set_value(worker.waitFor(kNever)); });
  EXPECT_TRUE(woken.get_future().get());
}

TEST(Worker, SeveralWakesCountAsOne) {
  Worker worker;
  worker.wake();
  worker.wake();
  std::promise<Clock::duration> second;
  worker.start("twice", [&] {
    static_cast<void>(worker.wait());
    const auto began = Clock::now();
    static_cast<void>(worker.waitFor(5ms));
    second.set_value(Clock::now() - began);
  });
  EXPECT_GE(second.get_future().get(), 5ms) << "the second wait was ended by the second wake";
}

TEST(Worker, StopEndsEveryKindOfWait) {
  const std::vector<std::function<bool(Worker&)>> waits = {
      [](Worker& worker) { return worker.wait(); },
      [](Worker& worker) { return worker.waitFor(kNever); },
      [](Worker& worker) { return worker.pauseFor(kNever); },
  };
  for (const auto& wait : waits) {
    Worker worker;
    std::promise<void> begun;
    bool goes_on = true;
    worker.start("stop", [&] {
      begun.set_value();
      goes_on = wait(worker);
    });
    begun.get_future().wait();
    EXPECT_FALSE(worker.isStopping());
    worker.stop();
    EXPECT_TRUE(worker.isStopping());
    EXPECT_FALSE(goes_on);
  }
}

TEST(Worker, WaitsUntilTheTimeWhenNobodyWakesIt) {
  Worker worker;
  std::promise<Clock::duration> waited;
  worker.start("timed", [&] {
    const auto began = Clock::now();
    if (worker.waitFor(5ms)) {
      waited.set_value(Clock::now() - began);
    }
  });
  EXPECT_GE(waited.get_future().get(), 5ms);
}

TEST(Worker, AWakeDoesNotShortenAPauseAndIsKeptForTheNextWait) {
  Worker worker;
  worker.wake();
  std::promise<Clock::duration> paused;
  std::promise<bool> woken;
  worker.start("pause", [&] {
    const auto began = Clock::now();
    static_cast<void>(worker.pauseFor(5ms));
    paused.set_value(Clock::now() - began);
    woken.set_value(worker.waitFor(kNever));
  });
  EXPECT_GE(paused.get_future().get(), 5ms);
  EXPECT_TRUE(woken.get_future().get());
}

// A thread in a pause does not take the notification from the worker's own wait. In nearly every turn the worker waits when it is woken.
TEST(Worker, AWakeReachesTheWaitWhileAnotherThreadIsInAPause) {
  constexpr int kTurns = 1000;
  Worker worker;
  std::atomic<int> turns = 0;
  worker.start("wait", [&] {
    while (worker.wait()) {
      ++turns;
      turns.notify_one();
    }
  });
  const std::jthread other([&] { static_cast<void>(worker.pauseFor(kNever)); });
  for (int turn = 0; turn < kTurns; ++turn) {
    worker.wake();
    turns.wait(turn);
  }
  worker.stop();
  EXPECT_EQ(turns, kTurns);
}

TEST(Worker, MayBeStoppedTwiceAndWithoutAStart) {
  Worker worker;
  worker.stop();
  worker.stop();
  bool goes_on = true;
  worker.start("late", [&] { goes_on = worker.wait(); });
  worker.stop();
  EXPECT_FALSE(goes_on);
}

TEST(WorkerPool, RunsTasksInOrderOnOneThread) {
  std::vector<int> order;
  {
    WorkerPool pool("order", 1, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(pool.submit([&order, i] { order.push_back(i); }));
    }
  }
  ASSERT_EQ(order.size(), 100U) << "what is queued is run before the pool ends";
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

TEST(WorkerPool, RunsAsManyTasksAtATimeAsItHasThreads) {
  WorkerPool pool("wide", 3, 10);
  std::latch together(3);  // passed only by three tasks that run side by side
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pool.submit([&] { together.arrive_and_wait(); }));
  }
  together.wait();
}

TEST(WorkerPool, SaysThatItIsEndingWhenATaskSubmitsAnother) {
  std::promise<void> begun;
  std::promise<Result<void>> refused;
  {
    WorkerPool pool("ending", 1, 10);
    ASSERT_TRUE(pool.submit([&] {
      begun.set_value();
      for (;;) {  // until the pool is ending
        auto submitted = pool.submit([] {});
        if (!submitted && submitted.error().message.find("ending") != std::string::npos) {
          refused.set_value(std::move(submitted));
          return;
        }
      }
    }));
    begun.get_future().wait();
  }
  EXPECT_EQ(refused.get_future().get().error().code, ErrorCode::kOverLimit);
}

TEST(WorkerPool, RefusesWhenTheQueueIsFull) {
  std::promise<void> begun;
  std::promise<void> release;
  std::atomic<int> run = 0;
  {
    WorkerPool pool("full", 1, 2);
    ASSERT_TRUE(pool.submit([&] {
      begun.set_value();
      release.get_future().wait();
    }));
    begun.get_future().wait();
    ASSERT_TRUE(pool.submit([&] { ++run; }));
    ASSERT_TRUE(pool.submit([&] { ++run; }));
    const auto refused = pool.submit([&] { ++run; });
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kOverLimit);
    release.set_value();
  }
  EXPECT_EQ(run, 2);
}

}  // namespace
}  // namespace tollgate::base
