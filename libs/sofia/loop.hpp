// The thread that owns all calls: Sofia's event loop, a bounded inbox that any thread may post to, a timer wheel, and a hook at the end
// of each turn. An Agent and its calls are used only on this thread, so a call needs no lock; nothing that blocks may run on it. Owns the
// thread, the tasks not yet run, and the timers.
// Any thread: post(), postCompletion(), stop(), isLoopThread(), now(), clock(). Loop thread: arm(), cancel(), stats(), and the two handlers
// after start().
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "libs/base/clock.hpp"
#include "libs/base/result.hpp"
#include "libs/sofia/key.hpp"
#include "libs/sofia/timer_wheel.hpp"

namespace tollgate::sofia {

struct LoopOptions {
  std::size_t inbox_max = 65536;       // tasks waiting; beyond: kOverLimit
  std::chrono::milliseconds tick{10};  // precision of timers; Sofia's own clock has the same (process.cpp)
};

// Totals since the start, unless said otherwise. The README of this folder names the metric of each.
struct LoopStats {
  std::uint64_t turns = 0;
  std::uint64_t tasks = 0;                // posted tasks that were run
  std::uint64_t tasks_refused = 0;        // the inbox was full
  std::uint64_t timers_armed = 0;         // armed now
  std::uint64_t timers_stale = 0;         // cancel() of timers that had fired or were cancelled before
  std::uint64_t longest_turn_micros = 0;  // handlers only, waiting excluded; since the last stats() call
};

class Loop {
 public:
  using Task = std::function<void()>;
  using Setup = std::function<base::Result<void>()>;
  // Returns the longest time until it must be called again; nullopt when there is no limit.
  using TurnEnd = std::function<std::optional<std::chrono::steady_clock::duration>()>;

  // Requires: `clock` outlives the loop.
  explicit Loop(const base::Clock& clock, LoopOptions options = {});
  ~Loop();  // stops. Requires: not the loop thread
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Starts a thread of its own, runs `setup` on it (create the Agent there) and returns its outcome; after an Error the thread has ended.
  // `teardown` runs on the same thread when the loop stops (destroy the Agent and every handle there). Once per Loop.
  // Errors: those of `setup`; kInternal when the event loop cannot be made, or when the process does not override su_root_yield
  // (libs/sofia/TRAPS.md 1.3).
  [[nodiscard]] base::Result<void> start(Setup setup, Task teardown);
  // Ends the loop after the turn in progress; tasks not yet run are dropped. Joins the thread unless called on it. Idempotent.
  void stop();

  // Runs `task` on the loop thread, in order of posting. Tasks posted before start() run after `setup`. A task that throws is logged and
  // dropped. Errors: kOverLimit when the inbox is full; kUnavailable when the loop has stopped.
  [[nodiscard]] base::Result<void> post(Task task);
  // The same for the completion of what the loop itself has begun: it is never refused for a full inbox, because what waits for it would
  // wait for ever. Its number is bounded by what was begun. Errors: kUnavailable when the loop has stopped.
  [[nodiscard]] base::Result<void> postCompletion(Task task);
  [[nodiscard]] bool isLoopThread() const;

  // Calls the timer handler once with `key`, never early, and at most one tick late unless a turn takes longer.
  [[nodiscard]] TimerHandle arm(std::chrono::milliseconds delay, Key key);
  bool cancel(TimerHandle handle);  // false, and counted as stale, when it has fired or was cancelled before
  void setTimerHandler(std::function<void(Key)> handler);
  // Called at the end of every turn, after packets, tasks and timers were handled. Here the requests of one turn are sent as one message.
  // What it returns bounds the wait of the next turn, to the millisecond, even when the tick is longer. Requires: neither handler sets a
  // handler while it runs.
  void setTurnEndHandler(TurnEnd handler);

  // The clock's monotonic time.
  [[nodiscard]] base::MonotonicTime now() const;
  [[nodiscard]] const base::Clock& clock() const;
  [[nodiscard]] LoopStats stats();  // loop thread, or after stop()

 private:
  friend class Agent;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate::sofia
