// The implementation of Loop, which Agent uses too. Private to libs/sofia. Inbox: any thread where it says so. Loop::Impl: the loop thread,
// except start() and stop().
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "libs/sofia/loop.hpp"
#include "libs/sofia/sofia_api.hpp"

namespace tollgate::sofia {

// Bounded queue into the loop: one mutex, one eventfd that is written only when the queue was empty. Sofia's own su_msg costs ten times as
// much and has no bound (libs/sofia/TRAPS.md 1.8).
class Inbox {
 public:
  explicit Inbox(std::size_t tasks_max);
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread.
  [[nodiscard]] base::Result<void> post(Loop::Task task, bool is_completion);
  void wake();
  void close();  // later posts are refused, waiting tasks dropped
  [[nodiscard]] std::uint64_t refused();

  // Loop thread.
  void take(std::vector<Loop::Task>& tasks);
  void drainWakeups();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  std::size_t tasks_max_;
  int fd_;
  std::mutex mutex_;
  std::vector<Loop::Task> tasks_;
  bool closed_ = false;
  std::uint64_t refused_ = 0;
};

class Loop::Impl {
 public:
  Impl(const base::Clock& clock, LoopOptions options);

  [[nodiscard]] base::Result<void> start(Setup setup, Task teardown);
  // `ready` gets the outcome of setup before the first turn.
  void run(const Setup& setup, const Task& teardown, const std::function<void(base::Result<void>)>& ready);
  void stop();

  // Passed in.
  const base::Clock& clock;
  const LoopOptions options;

  // Owned.
  Inbox inbox;
  TimerWheel wheel;
  std::function<void(Key)> timer_handler;
  TurnEnd turn_end_handler;
  su_root_t* root = nullptr;
  std::thread thread;

  // Derived.
  std::atomic<std::thread::id> owner{};
  std::atomic<bool> stopping = false;
  std::atomic<bool> used = false;
  LoopStats stats;  // turns, tasks, longest turn; the others are counted where they happen

 private:
  [[nodiscard]] base::Result<void> open();
  void close();
  void turn();
  void handleTurn();

  int wait_index_ = -1;
  std::vector<Task> batch_;
  std::optional<std::chrono::steady_clock::duration> turn_end_within_;  // what turn_end_handler returned last
};

}  // namespace tollgate::sofia
