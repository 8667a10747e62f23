#include "libs/sql/workers.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>

namespace tollgate::sql {

struct Workers::State {
  std::string name;
  std::size_t queue_max = 0;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  bool stopping = false;
  std::vector<std::thread> threads;

  void loop() {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return stopping || !queue.empty(); });
        if (queue.empty()) {
          return;
        }
        task = std::move(queue.front());
        queue.pop_front();
      }
      task();
    }
  }
};

Workers::Workers(std::string name, std::size_t threads, std::size_t queue_max) : state_(std::make_unique<State>()) {
  state_->name = std::move(name);
  state_->queue_max = queue_max;
  for (std::size_t i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->loop(); });
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) {
    thread.join();
  }
}

base::Result<void> Workers::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.size() >= state_->queue_max) {
      return base::fail(base::ErrorCode::kOverLimit, state_->name + ": the queue is full");
    }
    state_->queue.push_back(std::move(task));
  }
  state_->wake.notify_one();
  return {};
}

}  // namespace tollgate::sql
