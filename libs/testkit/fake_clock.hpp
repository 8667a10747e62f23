// A clock that moves only when the test moves it. Thread: any. Header only.
#pragma once

#include <atomic>
#include <chrono>

#include "libs/base/clock.hpp"

namespace tollgate::testkit {

class FakeClock final : public base::Clock {
 public:
  // Starts at 2026-11-21T10:00:00Z by default.
  explicit FakeClock(base::WallTime wall = base::WallTime(std::chrono::seconds(1'795'255'200)))
      : wall_micros_(wall.time_since_epoch().count()) {}

  [[nodiscard]] base::WallTime wall() const override { return base::WallTime(std::chrono::microseconds(wall_micros_.load())); }
  [[nodiscard]] base::MonotonicTime monotonic() const override {
    return base::MonotonicTime(std::chrono::microseconds(monotonic_micros_.load()));
  }

  void advance(std::chrono::microseconds by) {
    wall_micros_ += by.count();
    monotonic_micros_ += by.count();
  }
  // A step of the wall clock alone, as NTP or an operator causes it.
  void stepWall(std::chrono::microseconds by) { wall_micros_ += by.count(); }

 private:
  std::atomic<std::int64_t> wall_micros_;
  std::atomic<std::int64_t> monotonic_micros_{1'000'000'000};
};

}  // namespace tollgate::testkit
