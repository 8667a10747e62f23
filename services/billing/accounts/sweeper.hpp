// Closes calls whose lease is over: the ingress instance that owned them is gone (REQUIREMENTS 9.5). Each gets a CDR with the reason
// instance_lost, charged to its last confirmed second, and its hold returns through the books like any other. Also runs the drift check
// over all customers.
//
// Pauses while the bus or Redis is away and one lease time after they are back, or after the start: nobody could confirm anything
// meanwhile. Before it closes a call it waits until all records of the stream are in the books: the call may have ended in one of them. One
// thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libs/bus/connection.hpp"
#include "libs/redis/client.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/snapshot.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/committer.hpp"
#include "services/billing/records/intake.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

// The record of a call that nobody can tell any more: `known` (a CallAnswered: what call.answered or else the hold says), talked as
// confirmed.
[[nodiscard]] cdr::FinishedCall lostCall(const std::string& call, const std::string& known, std::int64_t confirmed_seconds,
                                         base::WallTime now);

class Sweeper {
 public:
  struct Parts {
    const SnapshotHolder& snapshots;
    redis::Client& redis;
    CreditStore& store;
    bus::Connection& connection;
    Intake& intake;
    Committer& committer;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit Sweeper(Parts parts) : parts_(parts) {}
  ~Sweeper() { stop(); }
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;
  void start();
  void stop();

 private:
  struct Lost {
    std::string call;
    base::CustomerId customer;
    LeaseOutcome lease;
  };
  struct Audit;  // one round of the drift check

  void run();
  [[nodiscard]] bool mayClose();
  [[nodiscard]] base::Result<std::size_t> sweep();  // how many leases it looked at
  [[nodiscard]] base::Result<void> inspect(const std::string& member, std::vector<Lost>& lost);
  void close(const Lost& lost);
  void auditSome();

  // Passed in.
  const Parts parts_;
  // Owned.
  std::thread thread_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point quiet_until_{};  // no closing before
  std::shared_ptr<Audit> audit_;                         // shared with the answers that are under way
};

}  // namespace tollgate::billing
