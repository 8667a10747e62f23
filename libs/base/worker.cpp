#include "libs/base/worker.hpp"

#include <string>
#include <utility>

#include <pthread.h>

#include "libs/base/assert.hpp"

namespace tollgate::base {
namespace {

constexpr std::size_t kNameMax = 15;  // pthread_setname_np refuses longer ones

}  // namespace

Worker::~Worker() {
  stop();
}

void Worker::start(const char* name, std::function<void()> body) {
  TG_ASSERT(!thread_.joinable());
  thread_ = std::jthread([short_name = std::string(name).substr(0, kNameMax), body = std::move(body)] {
    ::pthread_setname_np(::pthread_self(), short_name.c_str());
    body();
  });
}

void Worker::stop() {
  stop_.request_stop();
  if (thread_.joinable()) {
    TG_ASSERT(thread_.get_id() != std::this_thread::get_id());
    thread_.join();
  }
}

void Worker::wake() {
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
  }
  changed_.notify_all();  // notify_one() could reach a thread in a pause instead of the one that waits
}

bool Worker::wait() {
  std::unique_lock lock(mutex_);
  static_cast<void>(changed_.wait(lock, stop_.get_token(), [this] { return is_woken_; }));
  is_woken_ = false;
  return !stop_.stop_requested();
}

bool Worker::waitUntil(Time time) {
  std::unique_lock lock(mutex_);
  static_cast<void>(changed_.wait_until(lock, stop_.get_token(), time, [this] { return is_woken_; }));
  is_woken_ = false;
  return !stop_.stop_requested();
}

bool Worker::pauseUntil(Time time) {
  std::unique_lock lock(mutex_);
  static_cast<void>(changed_.wait_until(lock, stop_.get_token(), time, [] { return false; }));
  return !stop_.stop_requested();
}

}  // namespace tollgate::base
