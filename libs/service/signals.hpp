// SIGTERM and SIGINT as a count that the main thread can wait on; SIGPIPE and SIGHUP are ignored. Constructed on the main thread before any
// other thread exists, so that all threads inherit the blocked signals. Owns the thread that receives them.
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

  // Before this call the first signal ends the process, because there is nothing to drain yet.
  void startingIsOver();
  // Waits until `count` signals have arrived since the start, at most `time`. True when they have.
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
