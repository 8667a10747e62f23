#include "libs/sofia/timer_wheel.hpp"

#include <algorithm>

#include "libs/base/assert.hpp"

namespace tollgate::sofia {

TimerWheel::TimerWheel(std::chrono::milliseconds tick, std::size_t slots, base::MonotonicTime now)
    : tick_(tick), origin_(now), slots_(slots, kNone) {
  TG_ASSERT(tick.count() > 0 && slots > 0);
}

std::int64_t TimerWheel::tickAtOrAfter(base::MonotonicTime at) const {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(at - origin_).count();
  return since <= 0 ? 0 : (since + tick_.count() - 1) / tick_.count();
}

TimerHandle TimerWheel::arm(base::MonotonicTime at, Key key) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Entry& entry = entries_[index];
  entry.due_tick = std::max(tickAtOrAfter(at), now_tick_ + 1);
  entry.key = key;
  entry.armed = true;
  link(index);
  ++armed_;
  return {index, entry.generation};
}

bool TimerWheel::cancel(TimerHandle handle) {
  if (!handle.isSet() || handle.index >= entries_.size() || !entries_[handle.index].armed ||
      entries_[handle.index].generation != handle.generation) {
    ++stale_;
    return false;
  }
  release(handle.index);
  return true;
}

std::size_t TimerWheel::advance(base::MonotonicTime now, const Fire& fire) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - origin_).count();
  const std::int64_t target = since / tick_.count();
  if (target <= now_tick_) {
    return 0;
  }
  const auto slots = static_cast<std::int64_t>(slots_.size());
  const std::int64_t first = std::max(now_tick_ + 1, target - slots + 1);  // one visit per slot is enough after a long pause
  // Set before anything fires, because what a fired timer arms belongs to a later advance().
  now_tick_ = target;
  due_.clear();
  for (std::int64_t tick = first; tick <= target; ++tick) {
    collectDue(tick);
  }
  std::size_t fired = 0;
  for (std::size_t i = 0; i < due_.size(); ++i) {
    const TimerHandle handle = due_[i];
    const Entry& entry = entries_[handle.index];
    if (!entry.armed || entry.generation != handle.generation) {
      continue;  // cancelled by a timer that fired before it
    }
    const Key key = entry.key;
    release(handle.index);
    ++fired;
    fire(key);
  }
  return fired;
}

// Collected first and fired afterwards, because a timer that fires may cancel its neighbours in the slot's list.
void TimerWheel::collectDue(std::int64_t tick) {
  const auto slot = static_cast<std::size_t>(tick % static_cast<std::int64_t>(slots_.size()));
  for (std::uint32_t index = slots_[slot]; index != kNone; index = entries_[index].next) {
    if (entries_[index].due_tick <= now_tick_) {
      due_.push_back({index, entries_[index].generation});
    }
  }
}

void TimerWheel::link(std::uint32_t index) {
  Entry& entry = entries_[index];
  std::uint32_t& head = slots_[static_cast<std::size_t>(entry.due_tick % static_cast<std::int64_t>(slots_.size()))];
  entry.previous = kNone;
  entry.next = head;
  if (head != kNone) {
    entries_[head].previous = index;
  }
  head = index;
}

void TimerWheel::unlink(std::uint32_t index) {
  const Entry& entry = entries_[index];
  if (entry.previous != kNone) {
    entries_[entry.previous].next = entry.next;
  } else {
    slots_[static_cast<std::size_t>(entry.due_tick % static_cast<std::int64_t>(slots_.size()))] = entry.next;
  }
  if (entry.next != kNone) {
    entries_[entry.next].previous = entry.previous;
  }
}

void TimerWheel::release(std::uint32_t index) {
  unlink(index);
  Entry& entry = entries_[index];
  entry.armed = false;
  // Handles of this use are stale from now on; 0 means "never armed", so the count passes it over.
  entry.generation = entry.generation == UINT32_MAX ? 1 : entry.generation + 1;
  --armed_;
  free_.push_back(index);
}

}  // namespace tollgate::sofia
