#include "libs/sofia/loop.hpp"

#include <cstdlib>
#include <thread>

#include "libs/sofia/process.hpp"
#include "libs/sofia/test/test_support.hpp"

namespace tollgate::sofia {
namespace {

using testing::kLimit;
using namespace std::chrono_literals;

class LoopTest : public ::testing::Test {
 protected:
  void start(LoopOptions options = {}) {
    loop = std::make_unique<Loop>(clock, options);
    ASSERT_TRUE(loop->start(nullptr, nullptr));
  }
  void sync() {
    std::promise<void> done;
    ASSERT_TRUE(loop->post([&] { done.set_value(); }));
    ASSERT_EQ(done.get_future().wait_for(kLimit), std::future_status::ready);
  }
  base::SystemClock clock;
  std::unique_ptr<Loop> loop;
};

TEST_F(LoopTest, RunsPostedTasksInOrderOnItsThread) {
  start();
  std::vector<int> order;
  std::thread::id where;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(loop->post([&, i] {
      order.push_back(i);
      where = std::this_thread::get_id();
      EXPECT_TRUE(loop->isLoopThread());
    }));
  }
  sync();
  EXPECT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_NE(where, std::this_thread::get_id());
  EXPECT_FALSE(loop->isLoopThread());
}

TEST_F(LoopTest, RefusesTasksWhenTheInboxIsFull) {
  start({.inbox_max = 3, .tick = 10ms});
  std::promise<void> entered, release;
  ASSERT_TRUE(loop->post([&] {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(loop->post([] {}));
  }
  const auto refused = loop->post([] {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::kOverLimit);
  EXPECT_EQ(loop->stats().tasks_refused, 1U);
  std::promise<void> completed;
  EXPECT_TRUE(loop->postCompletion([&] { completed.set_value(); }));
  release.set_value();
  EXPECT_EQ(completed.get_future().wait_for(kLimit), std::future_status::ready);
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (!loop->post([] {}) && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  sync();
}

TEST_F(LoopTest, SurvivesATaskThatThrows) {
  start();
  ASSERT_TRUE(loop->post([] { throw std::runtime_error("boom"); }));
  sync();
}

TEST_F(LoopTest, FiresTimersWithinATickAndCallsTheEndOfTheTurnAfterThem) {
  start();
  std::promise<void> done;
  std::vector<std::string> order;
  Key fired_key = kNoKey;
  base::MonotonicTime armed_at, fired_at;
  ASSERT_TRUE(loop->post([&] {
    loop->setTimerHandler([&](Key key) {
      fired_key = key;
      fired_at = clock.monotonic();
      order.emplace_back("timer");
    });
    loop->setTurnEndHandler([&]() -> std::optional<std::chrono::steady_clock::duration> {
      if (fired_key != kNoKey && order.size() == 1) {
        order.emplace_back("turn end");
        done.set_value();
      }
      return std::nullopt;
    });
    armed_at = clock.monotonic();
    const TimerHandle cancelled = loop->arm(5ms, 1);
    (void)loop->arm(50ms, 42);
    EXPECT_TRUE(loop->cancel(cancelled));
    EXPECT_FALSE(loop->cancel(cancelled));
  }));
  EXPECT_EQ(done.get_future().wait_for(kLimit), std::future_status::ready);
  loop->stop();
  EXPECT_EQ(fired_key, 42U);
  EXPECT_GE(fired_at - armed_at, 50ms);
  EXPECT_EQ(order.size(), 2U);
  EXPECT_EQ(loop->stats().timers_stale, 1U);
}

// With a tick and a timer of an hour nothing else would end the wait.
TEST_F(LoopTest, CallsTheEndOfTheTurnAgainAsSoonAsItWants) {
  start({.inbox_max = 3, .tick = 1h});
  std::promise<void> done;
  int calls = 0;
  ASSERT_TRUE(loop->post([&] {
    (void)loop->arm(1h, 1);
    loop->setTurnEndHandler([&]() -> std::optional<std::chrono::steady_clock::duration> {
      if (++calls < 3) {
        return 300us;
      }
      if (calls == 3) {
        done.set_value();
      }
      return std::nullopt;
    });
  }));
  EXPECT_EQ(done.get_future().wait_for(kLimit), std::future_status::ready);
  loop->stop();  // before what the handler uses is gone
}

TEST_F(LoopTest, ReturnsTheErrorOfItsSetup) {
  Loop failing(clock);
  const auto started = failing.start([]() -> base::Result<void> { return base::fail(base::ErrorCode::kConflict, "taken"); }, nullptr);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "taken");
}

TEST_F(LoopTest, RunsUntilStoppedFromInside) {
  Loop stopping(clock);
  ASSERT_TRUE(stopping.post([&] { stopping.stop(); }));
  std::promise<void> torn_down;
  ASSERT_TRUE(stopping.start(nullptr, [&] { torn_down.set_value(); }));
  ASSERT_EQ(torn_down.get_future().wait_for(kLimit), std::future_status::ready);
  const auto late = stopping.post([] {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::ErrorCode::kUnavailable);
}

TEST_F(LoopTest, StopsTwiceWithoutHarm) {
  start();
  loop->stop();
  loop->stop();
}

// Pin: variables that make Sofia print packets or change what it does are gone before it starts (libs/sofia/TRAPS.md 1.1).
TEST(Process, ScrubsSofiasEnvironment) {
  for (const char* name : {"TPORT_LOG", "TPORT_DUMP", "NTA_DEBUG", "SU_DEBUG", "SIPCOMPACT", "MSG_DUMP"}) {
    ::setenv(name, "9", 1);
  }
  scrubEnvironment();
  for (const char* name : {"TPORT_LOG", "TPORT_DUMP", "NTA_DEBUG", "SU_DEBUG", "SIPCOMPACT", "MSG_DUMP"}) {
    EXPECT_EQ(::getenv(name), nullptr) << name;
  }
}

// Pin: our definitions are what libsofia calls, in this executable (libs/sofia/TRAPS.md 1.3); the same check stops a service's start.
TEST(Process, ProvesThatItsOverridesAreInForce) {
  const auto prepared = prepareProcess();
  EXPECT_TRUE(prepared) << prepared.error().message;
}

}  // namespace
}  // namespace tollgate::sofia
