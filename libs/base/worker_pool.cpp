#include "libs/base/worker_pool.hpp"

#include <utility>

#include <pthread.h>

#include "libs/base/assert.hpp"

namespace tollgate::base {
namespace {

constexpr std::size_t kNameMax = 15;  // pthread_setname_np refuses longer ones

}  // namespace

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t queue_max) : name_(std::move(name)), queue_max_(queue_max) {
  TG_ASSERT(threads > 0 && queue_max > 0);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  threads_.clear();  // joins while the queue and the lock are still there
}

Result<void> WorkerPool::submit(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) {
    return fail(ErrorCode::kOverLimit, name_ + ": the pool is ending");
  }
  if (queue_.size() >= queue_max_) {
    return fail(ErrorCode::kOverLimit, name_ + ": the queue is full");
  }
  queue_.push_back(std::move(task));
  // Under the lock: the task may be what its owner waits for before it destroys the pool, and then `changed_` must not be used any more.
  changed_.notify_one();
  return {};
}

void WorkerPool::run() {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, kNameMax).c_str());
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (queue_.empty()) {
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace tollgate::base
