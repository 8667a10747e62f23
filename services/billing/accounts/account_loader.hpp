// Writes the accounts of the customers to Redis: at the start, for new customers, and again after Redis has lost them (REQUIREMENTS 9.4).
// A missing account is rebuilt in this order: ask every ingress for its live calls; wait until all records that were in the stream at that
// moment are in the ledger; read the ledger; write the account unless it exists by then. So every call is in the report or in the ledger,
// and a call that is in both has its ended mark, which load_account.lua respects.
//
// Threads: start() and stop() from the main thread, on*() and error() from any thread; one thread of its own does the rest. Owns: the
// list of what has to be loaded.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/control.hpp"
#include "libs/redis/client.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/ledger.hpp"
#include "services/billing/accounts/presence.hpp"
#include "services/billing/accounts/presence_watch.hpp"
#include "services/billing/config/tables.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/intake.hpp"
#include "services/billing/settings.hpp"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::billing {

class AccountLoader {
 public:
  struct Dependencies {
    const ConfigTables& tables;
    redis::Client& redis;
    CreditStore& store;
    sql::Pool& pool;
    bus::Connection& connection;
    Intake& intake;
    Presence& presence;
    const PresenceWatch& presence_watch;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit AccountLoader(Dependencies deps) : deps_(deps) {}
  ~AccountLoader() { stop(); }
  AccountLoader(const AccountLoader&) = delete;
  AccountLoader& operator=(const AccountLoader&) = delete;

  void start();
  void stop();

  // A request found no account: check whether more are missing.
  void onMissing(base::CustomerId customer);
  // Customers that have just been created: they cannot have calls, so the ingress is not asked.
  void onCreated(const std::vector<base::CustomerId>& customers);
  // Why accounts are missing in Redis; empty when none is known to be.
  [[nodiscard]] std::string error() const;

 private:
  // What all ingress instances have reported, by customer.
  struct Report {
    std::map<base::CustomerId, std::vector<AccountOrder::Hold>> holds;
    std::map<base::CustomerId, std::vector<CallSlot>> outgoing;
  };
  void run();
  void watchRedis();
  [[nodiscard]] base::Result<void> loadCreated(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<void> checkAll();
  [[nodiscard]] base::Result<void> write(const std::vector<base::CustomerId>& customers, Report report);
  [[nodiscard]] base::Result<void> refresh(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<std::map<base::CustomerId, AccountSum>> readLedger(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<Report> askIngress(const Snapshot& snapshot);
  void addCall(const Snapshot& snapshot, const std::string& instance, const control::v1::LiveCall& call, Report& report) const;
  void setError(std::string error);

  // Passed in.
  const Dependencies deps_;
  // Derived.
  mutable std::mutex mutex_;
  std::string error_;  // under mutex_
  bool check_all_ = false;
  std::set<base::CustomerId> created_;
  bool redis_was_connected_ = false;
  std::atomic<bool> loaded_{false};
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
