// One thread of a component's own: it runs a loop, waits between the turns until it is woken or a time has come, and ends when it is
// stopped. Takes the place of a hand-made thread, mutex, condition variable, "stopping" flag and "woken" flag.
//
//   worker_.start("sweeper", [this] {
//     while (worker_.waitFor(every)) {
//       sweep();
//     }
//   });
//
// A wake is remembered: wake() while the thread is busy, or before start(), ends its next wait without delay. So data that is handed over
// before wake() is seen by the turn that follows; the data themselves are guarded by the owner's mutex.
//
// Threads: start() and stop() belong to the owner's thread; wake(), isStopping() and the pauses may be called from any thread; the
// waits only inside the body. Owns: the thread, which never outlives the Worker. Declare it after the members that its body uses.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tollgate::base {

class Worker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Worker() = default;
  ~Worker();  // stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs `body` once on a new thread. `name` is what the kernel shows for it: the first 15 characters.
  // Requires: not started before; body lets no exception out.
  void start(const char* name, std::function<void()> body);

  // Ends every wait, now and later, and returns when the body has returned. A second call does nothing. After a call before start(), a body
  // that is started later is stopping from its beginning.
  // Requires: not called by the body.
  void stop();

  // Ends the wait that is going on, or else the next one. Several wakes before that wait count as one.
  void wake();
  [[nodiscard]] bool isStopping() const { return stop_.stop_requested(); }

  // Wait until wake() is called or the time has come. False: the worker is stopping, and the body must return.
  [[nodiscard]] bool wait();
  [[nodiscard]] bool waitUntil(Time time);
  [[nodiscard]] bool waitFor(std::chrono::steady_clock::duration duration) {
    return waitUntil(std::chrono::steady_clock::now() + duration);
  }

  // The same, for a pause before trying again: a wake does not shorten it and is kept for the next wait.
  [[nodiscard]] bool pauseUntil(Time time);
  [[nodiscard]] bool pauseFor(std::chrono::steady_clock::duration duration) {
    return pauseUntil(std::chrono::steady_clock::now() + duration);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool is_woken_ = false;  // under mutex_
  std::stop_source stop_;  // not the one of thread_, because it is needed before the thread is started
  std::jthread thread_;
};

}  // namespace tollgate::base
