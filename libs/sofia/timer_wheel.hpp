// Hashed timer wheel: arm and cancel in constant time, one sweep per tick. Pure: time comes in, keys go out. One thread (the loop's). Owns
// nothing but its entries. An entry is used again for another timer, so a handle carries the generation of its use: one that has fired, was
// cancelled or is from an earlier use is a counted no-op.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/sofia/key.hpp"

namespace tollgate::sofia {

struct TimerHandle {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0 = never armed
  [[nodiscard]] bool isSet() const { return generation != 0; }
};

class TimerWheel {
 public:
  using Fire = std::function<void(Key)>;

  TimerWheel(std::chrono::milliseconds tick, std::size_t slots, base::MonotonicTime now);

  // Fires once, at the first tick not before `at`; for a time in the past, at the next tick.
  [[nodiscard]] TimerHandle arm(base::MonotonicTime at, Key key);
  // False (and counted) when the timer is not armed any more.
  bool cancel(TimerHandle handle);
  // Fires everything due. `fire` may arm and cancel; what it arms fires in a later advance().
  std::size_t advance(base::MonotonicTime now, const Fire& fire);

  [[nodiscard]] std::size_t armed() const { return armed_; }
  [[nodiscard]] std::uint64_t stale() const { return stale_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    std::int64_t due_tick = 0;
    Key key = kNoKey;
    std::uint32_t generation = 1;
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    bool armed = false;
  };

  [[nodiscard]] std::int64_t tickAtOrAfter(base::MonotonicTime at) const;
  void link(std::uint32_t index);
  void unlink(std::uint32_t index);
  void release(std::uint32_t index);
  void collectDue(std::int64_t tick);

  // Passed in.
  std::chrono::microseconds tick_;
  base::MonotonicTime origin_;

  // Owned.
  std::vector<std::uint32_t> slots_;  // head entry of each slot
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::vector<TimerHandle> due_;

  // Derived.
  std::int64_t now_tick_ = 0;
  std::size_t armed_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace tollgate::sofia
