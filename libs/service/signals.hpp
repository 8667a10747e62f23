// SIGTERM and SIGINT as a count that the main thread can wait on. Made on the main thread before any other thread, so that all of them
// inherit the blocked signals. SIGPIPE and SIGHUP are ignored.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tollgate::service {

class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Until then the first signal ends the process: there is nothing to drain yet.
  void startingIsOver();
  // Waits until `count` signals have come, or the time is over.
  bool wait(int count, std::chrono::milliseconds time);

 private:
  void take();
  void arrived(int number);

  // Owned.
  int signal_handle_ = -1;
  int stop_handle_ = -1;
  std::thread thread_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
  bool is_starting_ = true;
};

}  // namespace tollgate::service
