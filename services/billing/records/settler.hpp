// Brings what the ledger has committed to Redis, repeated until Redis has it: balances, and the end of holds. The versions of the balances
// make the order of arrival unimportant.
// Threads: settle() and settleFirst() from any thread, tick() from the committer's. Owns: the settlements that failed and are repeated.
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
  // Calls `done` on the Redis thread when all of the order is in Redis.
  void settle(SettleOrder order, std::function<void()> done);
  // Calls `done` after the first try, even if that failed; what failed is repeated as with settle().
  void settleFirst(SettleOrder order, std::function<void()> done);
  // Repeats what failed, at most twice a second.
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
