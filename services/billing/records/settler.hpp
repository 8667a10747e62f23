// Brings what the ledger has committed to Redis, again and again until Redis has it: posted values and the end of the holds. The versions
// make the order of arrival unimportant. settle() from any thread; tick() from the committer's.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/metrics.hpp"

namespace tollgate::billing {

class Settler {
 public:
  Settler(CreditStore& store, BillingMetrics& metrics) : store_(store), metrics_(metrics) {}
  // `done` runs once all of the order is in Redis; on the Redis thread.
  void settle(SettleOrder order, std::function<void()> done);
  // `done` runs after the first try, whether Redis had it or not; what failed is tried again all the same.
  void settleFirst(SettleOrder order, std::function<void()> done);
  // Tries again what failed, at most twice a second.
  void tick();

 private:
  struct Task {
    SettleOrder order;
    std::function<void()> done;
    bool done_after_first = false;
  };
  void submit(std::shared_ptr<Task> task);
  void submitParts(SettleOrder order, std::function<void()> done, bool done_after_first);

  // Passed in.
  CreditStore& store_;
  BillingMetrics& metrics_;
  // Derived.
  std::mutex mutex_;
  std::deque<std::shared_ptr<Task>> failed_;  // shared with the completion that put it here
  std::chrono::steady_clock::time_point next_try_{};
};

}  // namespace tollgate::billing
