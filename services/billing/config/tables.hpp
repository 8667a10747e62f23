// Builds the snapshots from MySQL, first whole and then from the changes, for the configuration feed.
// Threads: current() from any thread, everything else on the feed's thread. Owns: the tables that the snapshots share.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libs/feed/snapshot_tables.hpp"
#include "libs/telemetry/metrics.hpp"
#include "services/billing/config/snapshot.hpp"

namespace tollgate::billing {

class ConfigTables final : public feed::SnapshotTables<Snapshot> {
 public:
  // `on_new_customers` is called with the customers that the previous version did not have: their accounts must be loaded.
  ConfigTables(telemetry::Gauge& version, std::function<void(const std::vector<base::CustomerId>&)> on_new_customers)
      : version_(version), on_new_customers_(std::move(on_new_customers)) {}

  [[nodiscard]] base::Result<void> loadAll(sql::Session& session) override;
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<feed::Change>& changes) override;

 private:
  [[nodiscard]] base::Result<void> loadCustomers(sql::Session& session);
  [[nodiscard]] base::Result<void> loadTrunks(sql::Session& session);
  [[nodiscard]] base::Result<void> loadRates(sql::Session& session);
  [[nodiscard]] base::Result<void> buildPlans(sql::Session& session, const std::unordered_set<base::RatePlanId>& plans,
                                              const std::unordered_map<base::RatePlanId, money::Currency>& currencies);
  [[nodiscard]] base::Result<void> applyCustomers(sql::Session& session, const std::vector<base::CustomerId>& ids);
  [[nodiscard]] base::Result<void> applyTrunks(sql::Session& session, const std::vector<base::TrunkId>& ids);
  [[nodiscard]] base::Result<void> applyPlan(sql::Session& session, base::RatePlanId plan);
  [[nodiscard]] base::Result<void> applyRates(sql::Session& session, const std::vector<base::RateId>& ids);
  [[nodiscard]] base::Result<void> removeRates(const std::vector<base::RateId>& ids);
  void setCustomer(const CustomerView& customer);
  [[nodiscard]] std::shared_ptr<Snapshot> makeSnapshot() override;
  void published(const Snapshot& snapshot) override;

  // Passed in.
  telemetry::Gauge& version_;
  std::function<void(const std::vector<base::CustomerId>&)> on_new_customers_;
  // Owned.
  feed::WorkingRows<base::CustomerId, CustomerView> customers_;
  feed::WorkingRows<base::TrunkId, TrunkView> trunks_;
  money::RateTable::Plans plans_;
  // Derived.
  std::set<base::CustomerId> customer_ids_;
  bool customers_changed_ = true;
  std::vector<base::CustomerId> new_customers_;
};

}  // namespace tollgate::billing
