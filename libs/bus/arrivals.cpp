#include "libs/bus/arrivals.hpp"

#include <algorithm>

namespace tollgate::bus {

// The counts are not read at one instant, and messages of a lost connection are never taken. So a count may be too high for one period; the
// next one corrects it, because it replaces every earlier one that is not lower.
void Arrivals::count(Time at, std::uint64_t waiting) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t received = taken_ + waiting;
  while (!counts_.empty() && counts_.back().received >= received) {
    counts_.pop_back();
  }
  counts_.push_back({at, received});
}

Arrivals::Time Arrivals::take(Time now) {
  const std::lock_guard lock(mutex_);
  ++taken_;
  while (counts_.size() > 1 && counts_[1].received < taken_) {
    counts_.pop_front();
  }
  if (counts_.empty() || counts_.front().received >= taken_) {
    return now;  // received before the first count
  }
  return std::min(now, counts_.front().at + period_);
}

}  // namespace tollgate::bus
