// Threads that run handlers, with a queue that is never longer than its limit. submit(): any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tollgate::http {

class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_max);
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full; the task is then not run.
  [[nodiscard]] bool submit(std::function<void()> task);

 private:
  void work();

  // Passed in.
  std::size_t queue_max_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool is_stopping_ = false;
  // Owned.
  std::vector<std::thread> threads_;
};

}  // namespace tollgate::http
