#include "libs/bus/arrivals.hpp"

#include <algorithm>

namespace tollgate::bus {

// The counts are not read at one instant, and messages of a lost connection are never taken. So a count may be too high for one period; the
// next round trip corrects it, because it replaces every earlier one that did not receive less.
void Arrivals::noteRoundTrip(Time asked, std::uint64_t waiting) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t received = taken_ + waiting;
  while (!round_trips_.empty() && round_trips_.back().received >= received) {
    round_trips_.pop_back();
  }
  round_trips_.push_back({asked, received});
}

Arrivals::Time Arrivals::take(Time now) {
  const std::lock_guard lock(mutex_);
  ++taken_;
  while (round_trips_.size() > 1 && round_trips_[1].received < taken_) {
    round_trips_.pop_front();
  }
  if (round_trips_.empty() || round_trips_.front().received >= taken_) {
    return now;  // received before the first round trip
  }
  return std::min(now, round_trips_.front().asked + period_);
}

}  // namespace tollgate::bus
