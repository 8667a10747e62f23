#include "services/billing/records/settler.hpp"

#include <atomic>

#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

// A script with more calls than this would block Redis for too long.
constexpr std::size_t kCallsPerScript = 100;
constexpr std::chrono::milliseconds kRetry{500};

}  // namespace

void Settler::settle(SettleOrder order, std::function<void()> done) {
  submitParts(std::move(order), std::move(done), false);
}

void Settler::settleFirst(SettleOrder order, std::function<void()> done) {
  submitParts(std::move(order), std::move(done), true);
}

void Settler::submitParts(SettleOrder order, std::function<void()> done, bool done_after_first) {
  const std::size_t parts = std::max<std::size_t>(1, (order.calls.size() + kCallsPerScript - 1) / kCallsPerScript);
  // Shared by the parts; the last one to finish reports.
  auto left = std::make_shared<std::atomic<std::size_t>>(parts);
  const auto part_done = [left, done = std::move(done)] {
    if (left->fetch_sub(1) == 1 && done) {
      done();
    }
  };
  for (std::size_t part = 0; part < parts; ++part) {
    auto task = std::make_shared<Task>();
    task->order.customer = order.customer;
    task->order.posted_micros = order.posted_micros;
    task->order.version = order.version;
    const std::size_t first = part * kCallsPerScript;
    const std::size_t last = std::min(order.calls.size(), first + kCallsPerScript);
    task->order.calls.assign(order.calls.begin() + static_cast<std::ptrdiff_t>(first),
                             order.calls.begin() + static_cast<std::ptrdiff_t>(last));
    task->done = part_done;
    task->done_after_first = done_after_first;
    submit(std::move(task));
  }
}

void Settler::submit(std::shared_ptr<Task> task) {
  store_.settle(task->order, [this, task](base::Result<void> outcome) {
    if (!outcome) {
      metrics_.settles_failed.add();
      telemetry::warn("settlement not stored in Redis, it will be repeated",
                      {{"customer", task->order.customer.value()}, {"error", outcome.error().message}});
    }
    std::function<void()> done;
    if (outcome || task->done_after_first) {
      done = std::exchange(task->done, {});
    }
    if (!outcome) {
      const std::lock_guard lock(mutex_);
      failed_.push_back(task);
    }
    if (done) {
      done();
    }
  });
}

void Settler::tick() {
  std::deque<std::shared_ptr<Task>> again;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (failed_.empty() || now < next_try_) {
      return;
    }
    next_try_ = now + kRetry;
    again.swap(failed_);
  }
  for (auto& task : again) {
    submit(std::move(task));
  }
}

}  // namespace tollgate::billing
