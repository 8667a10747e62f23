// Time as a dependency, so that tests choose it. Wall time (UTC microseconds) dates records; monotonic time measures and arms timers. Any
// thread.
#pragma once

#include <chrono>
#include <string>

namespace tollgate::base {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] MonotonicTime monotonic() const override;
};

// 2026-11-21T10:20:30.123456Z
[[nodiscard]] std::string formatRfc3339(WallTime time);

}  // namespace tollgate::base
