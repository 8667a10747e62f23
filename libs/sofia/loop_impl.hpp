// Inside of Loop, for Agent. Private to libs/sofia.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "libs/sofia/loop.hpp"
#include "libs/sofia/sofia_api.hpp"

namespace tollgate::sofia {

// Bounded queue into the loop: one mutex, one eventfd that is written when the queue was empty.
class Inbox {
 public:
  explicit Inbox(std::size_t tasks_max);
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread.
  [[nodiscard]] base::Result<void> post(Loop::Task task);
  void wake();
  void close();  // later posts are refused, waiting tasks dropped
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

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
  std::atomic<std::uint64_t> refused_ = 0;
};

class Loop::Impl {
 public:
  Impl(const base::Clock& clock, LoopOptions options);

  [[nodiscard]] base::Result<void> start(Setup setup, Task teardown);
  // `ready` is told the outcome of setup before the first turn.
  [[nodiscard]] base::Result<void> run(const Setup& setup, const Task& teardown, const std::function<void(base::Result<void>)>& ready);
  void stop();

  // Passed in.
  const base::Clock& clock;
  const LoopOptions options;

  // Owned.
  Inbox inbox;
  TimerWheel wheel;
  std::function<void(Key)> timer_handler;
  Task turn_end_handler;
  su_root_t* root = nullptr;
  std::thread thread;

  // Derived.
  std::atomic<std::thread::id> owner{};
  std::atomic<bool> stopping = false;
  std::atomic<bool> used = false;
  std::atomic<std::uint64_t> turns = 0;
  std::atomic<std::uint64_t> tasks_run = 0;
  std::atomic<std::uint64_t> armed = 0;
  std::atomic<std::uint64_t> stale = 0;
  std::atomic<std::uint64_t> longest_turn_micros = 0;

 private:
  [[nodiscard]] base::Result<void> open();
  void close();
  void turn();
  void handleTurn();

  int wait_index_ = -1;
  std::vector<Task> batch_;
};

}  // namespace tollgate::sofia
