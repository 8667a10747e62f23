// Builds the snapshots from MySQL, first whole and then from the changes, for the configuration feed.
// Threads: the feed's thread only. Owns: the tables that the snapshots share.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "libs/feed/feed.hpp"
#include "libs/telemetry/metrics.hpp"
#include "services/billing/config/snapshot.hpp"

namespace tollgate::billing {

class ConfigTables final : public feed::Tables {
 public:
  // `on_new_customers` is called with the customers that the previous version did not have: their accounts must be loaded.
  ConfigTables(SnapshotHolder& holder, telemetry::Gauge& version,
               std::function<void(const std::vector<base::CustomerId>&)> on_new_customers);

  [[nodiscard]] base::Result<void> loadAll(sql::Session& session) override;
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<feed::Change>& changes) override;
  void publish(std::uint64_t version) override;

 private:
  [[nodiscard]] base::Result<void> loadRates(sql::Session& session);
  [[nodiscard]] base::Result<void> applyCustomer(sql::Session& session, std::int64_t id);
  [[nodiscard]] base::Result<void> applyTrunk(sql::Session& session, std::int64_t id);
  [[nodiscard]] base::Result<void> applyPlan(sql::Session& session, std::int64_t id);
  [[nodiscard]] base::Result<void> removeRates(const std::vector<base::RateId>& ids);
  [[nodiscard]] base::Result<void> saveRates(sql::Session& session, const std::vector<std::int64_t>& ids);
  [[nodiscard]] base::Result<void> rebuildPlan(sql::Session& session, base::RatePlanId plan, money::Currency currency);
  void putCustomer(const sql::Row& row);

  // Passed in.
  SnapshotHolder& holder_;
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
  std::shared_ptr<const std::vector<base::CustomerId>> published_ids_;
};

}  // namespace tollgate::billing
