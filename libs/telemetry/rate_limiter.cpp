#include "libs/telemetry/rate_limiter.hpp"

#include <chrono>

namespace tollgate::telemetry {

namespace {
constexpr std::chrono::seconds kWindow{1};
constexpr std::string_view kOtherTexts = "(other messages)";
}  // namespace

bool RateLimiter::admit(std::string_view message, base::MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  auto found = windows_.find(message);
  if (found == windows_.end()) {
    const bool has_room = windows_.size() < kTextsMax;
    found = windows_.try_emplace(std::string(has_room ? message : kOtherTexts), Window{now, 0, 0}).first;
  }
  Window& window = found->second;
  if (now - window.start >= kWindow) {
    window.start = now;
    window.admitted = 0;
  }
  if (window.admitted < kPerSecond) {
    ++window.admitted;
    return true;
  }
  ++window.suppressed;
  return false;
}

std::vector<RateLimiter::Suppressed> RateLimiter::takeSuppressed(base::MonotonicTime now, bool all) {
  std::vector<Suppressed> taken;
  const std::lock_guard lock(mutex_);
  for (auto& [message, window] : windows_) {
    const bool is_due = all || now - window.start >= kWindow;
    if (is_due && window.suppressed > 0) {
      taken.push_back({message, window.suppressed});
      window.suppressed = 0;
    }
  }
  return taken;
}

}  // namespace tollgate::telemetry
