#include "libs/sofia/timer_wheel.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace tollgate::sofia {
namespace {

using std::chrono::milliseconds;

base::MonotonicTime at(int milliseconds_in) {
  return base::MonotonicTime(milliseconds(milliseconds_in));
}

struct Wheel {
  TimerWheel wheel{milliseconds(10), 16, at(0)};  // one turn = 160 ms
  std::vector<Key> fired;
  std::size_t advance(int now) {
    return wheel.advance(at(now), [this](Key key) { fired.push_back(key); });
  }
};

TEST(TimerWheel, FiresOnceAtTheFirstTickNotBeforeTheTime) {
  Wheel test;
  (void)test.wheel.arm(at(25), 1);
  EXPECT_EQ(test.advance(24), 0U);
  EXPECT_EQ(test.advance(29), 0U);
  EXPECT_EQ(test.advance(30), 1U);
  EXPECT_EQ(test.advance(1000), 0U);
  EXPECT_EQ(test.fired, std::vector<Key>{1});
}

TEST(TimerWheel, FiresInALaterRoundWhenTheDelayIsLongerThanTheWheel) {
  Wheel test;
  (void)test.wheel.arm(at(500), 1);
  EXPECT_EQ(test.advance(499), 0U);
  EXPECT_EQ(test.advance(500), 1U);
}

TEST(TimerWheel, FiresEverythingDueAfterALongPause) {
  Wheel test;
  for (int i = 1; i <= 50; ++i) {
    (void)test.wheel.arm(at(i * 10), static_cast<Key>(i));
  }
  (void)test.wheel.arm(at(100000), 99);
  EXPECT_EQ(test.advance(90000), 50U);
  EXPECT_EQ(test.wheel.armed(), 1U);
}

TEST(TimerWheel, CountsAndIgnoresStaleHandles) {
  Wheel test;
  const TimerHandle first = test.wheel.arm(at(10), 1);
  EXPECT_TRUE(test.wheel.cancel(first));
  EXPECT_FALSE(test.wheel.cancel(first));
  const TimerHandle second = test.wheel.arm(at(10), 2);  // the same entry again
  EXPECT_EQ(second.index, first.index);
  EXPECT_FALSE(test.wheel.cancel(first));
  EXPECT_FALSE(test.wheel.cancel({}));
  EXPECT_FALSE(test.wheel.cancel({12345, 1}));
  EXPECT_EQ(test.wheel.stale(), 4U);
  EXPECT_EQ(test.advance(20), 1U);
  EXPECT_EQ(test.fired, std::vector<Key>{2});
}

TEST(TimerWheel, LetsAFiringTimerCancelAndArmOthers) {
  TimerWheel wheel(milliseconds(10), 16, at(0));
  std::vector<Key> fired;
  std::map<Key, TimerHandle> handles;
  for (Key key = 1; key <= 4; ++key) {
    handles[key] = wheel.arm(at(10), key);
  }
  const auto fire = [&](Key key) {
    fired.push_back(key);
    for (const auto& [other, handle] : handles) {
      if (other != key) {
        (void)wheel.cancel(handle);
      }
    }
    (void)wheel.arm(at(0), 100 + key);
  };
  EXPECT_EQ(wheel.advance(at(10), fire), 1U);
  EXPECT_EQ(wheel.advance(at(20), fire), 1U);
  EXPECT_EQ(fired[1], 100 + fired[0]);
}

TEST(TimerWheel, AgreesWithASimpleModelOverRandomUse) {
  std::mt19937 random(7);
  Wheel test;
  std::map<Key, std::pair<int, TimerHandle>> model;
  int now = 0;
  for (Key key = 1; key < 5000; ++key) {
    const int due = now + static_cast<int>(random() % 700);
    model[key] = {due, test.wheel.arm(at(due), key)};
    if (random() % 3 == 0) {
      const auto victim = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      EXPECT_TRUE(test.wheel.cancel(victim->second.second));
      model.erase(victim);
    }
    if (random() % 4 == 0) {
      now += static_cast<int>(random() % 60);
      test.fired.clear();
      test.advance(now);
      for (const Key fired : test.fired) {
        ASSERT_TRUE(model.contains(fired));
        EXPECT_LE(model[fired].first, now);
        model.erase(fired);
      }
      for (const auto& [waiting, entry] : model) {
        EXPECT_GT(entry.first, now - 10) << waiting;  // at most one tick late
      }
    }
  }
  EXPECT_EQ(test.wheel.armed(), model.size());
}

}  // namespace
}  // namespace tollgate::sofia
