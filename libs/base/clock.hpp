// Time as a dependency. Wall time stamps records (UTC microseconds); monotonic time measures and arms timers.
#pragma once

#include <chrono>
#include <string>

namespace tollgate::base {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

// Any thread.
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
