// A fixed number of threads with a bounded queue, for work that blocks (STYLE 23). Tasks begin in the order they were submitted.
//
// Threads: submit() may be called from any thread, also by a task. Owns: the threads, which end with the pool.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::base {

class WorkerPool {
 public:
  // `name` is what the kernel shows for the threads: the first 15 characters. Requires: threads and queue_max are at least 1.
  WorkerPool(std::string name, std::size_t threads, std::size_t queue_max);
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Requires: the task lets no exception out.
  // Errors: kOverLimit: queue_max tasks are waiting, or the pool is ending (the message tells which). The task is then never run.
  [[nodiscard]] Result<void> submit(std::function<void()> task);

 private:
  void run();

  // Passed in.
  const std::string name_;
  const std::size_t queue_max_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // under mutex_
  bool is_stopping_ = false;                 // under mutex_
  // Owned.
  std::vector<std::jthread> threads_;
};

}  // namespace tollgate::base
