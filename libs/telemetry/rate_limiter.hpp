// Limits how often a message is logged: kPerSecond times a second per text; the rest is counted. Any thread. Owns the counts.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.hpp"

namespace tollgate::telemetry {

class RateLimiter {
 public:
  static constexpr int kPerSecond = 10;
  static constexpr std::size_t kTextsMax = 1024;  // further texts share one budget

  struct Suppressed {
    std::string message;
    std::uint64_t count = 0;
  };

  [[nodiscard]] bool admit(std::string_view message, base::MonotonicTime now);
  // Counts of suppressed messages of past seconds, each returned once. `all` includes the current second.
  [[nodiscard]] std::vector<Suppressed> takeSuppressed(base::MonotonicTime now, bool all);

 private:
  struct Window {
    base::MonotonicTime start;
    int admitted = 0;
    std::uint64_t suppressed = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  // Derived.
  std::mutex mutex_;
  std::unordered_map<std::string, Window, Hash, std::equal_to<>> windows_;
};

}  // namespace tollgate::telemetry
