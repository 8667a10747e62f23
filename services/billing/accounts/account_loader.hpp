// Brings accounts into Redis: at the start, for new customers, and again when Redis has lost them (REQUIREMENTS 9.4). An absent account is
// rebuilt from what every ingress reports of its live calls and from the ledger, in this order: report, then wait until all records that
// were in the stream at that moment are in the books, then read the ledger, then write unless it is there by now. A call is thus in the
// report or in the ledger, and one that is in both has left its ended mark. want*() from any thread; one thread of its own does the rest.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "libs/bus/connection.hpp"
#include "libs/redis/client.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/ledger.hpp"
#include "services/billing/config/snapshot.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/intake.hpp"
#include "services/billing/settings.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::billing {

class AccountLoader {
 public:
  struct Parts {
    const SnapshotHolder& snapshots;
    redis::Client& redis;
    CreditStore& store;
    sql::Pool& pool;
    bus::Connection& connection;
    Intake& intake;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit AccountLoader(Parts parts) : parts_(parts) {}
  ~AccountLoader() { stop(); }
  AccountLoader(const AccountLoader&) = delete;
  AccountLoader& operator=(const AccountLoader&) = delete;

  void start();
  void stop();

  // One request met no account: look whether more are gone.
  void onMissing(base::CustomerId customer);
  // Customers that were just created: they cannot have calls, so nobody is asked.
  void onCreated(const std::vector<base::CustomerId>& customers);
  // All accounts have been in Redis once since the start.
  [[nodiscard]] bool isLoaded() const { return loaded_; }

 private:
  // What all ingress said.
  struct Report {
    std::map<base::CustomerId, std::vector<AccountOrder::Hold>> holds;
    std::map<base::CustomerId, std::vector<AccountOrder::OutgoingSlot>> outgoing;
  };
  void run();
  void watchRedis();
  [[nodiscard]] base::Result<void> loadCreated(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<void> checkAll();
  [[nodiscard]] base::Result<void> write(const std::vector<base::CustomerId>& customers, Report report);
  [[nodiscard]] base::Result<void> refresh(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<std::map<base::CustomerId, AccountSum>> readLedger(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] Report askIngress(const Snapshot& snapshot);
  static void addCall(const Snapshot& snapshot, const std::string& instance, const control::v1::LiveCall& call, Report& report);

  // Passed in.
  const Parts parts_;
  // Owned.
  std::thread thread_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool check_all_ = false;
  std::set<base::CustomerId> created_;
  bool redis_was_connected_ = false;
  std::atomic<bool> loaded_{false};
};

}  // namespace tollgate::billing
