// What billing knows of the configuration: customers, trunks, rates.
// Threads: a Snapshot is immutable, any thread reads it; ConfigTables replaces it as a whole. A lookup costs a hash, and no lock is held
// while a snapshot is used.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/feed/rows.hpp"
#include "libs/money/money.hpp"
#include "libs/money/rate_table.hpp"

namespace tollgate::billing {

struct CustomerView {
  base::CustomerId id;
  money::Currency currency;
  bool prepaid = true;
  // What the available balance may not fall below (REQUIREMENTS 1.3); nullopt = unlimited.
  std::optional<std::int64_t> floor_micros = 0;
};

struct TrunkView {
  base::TrunkId id;
  base::CustomerId customer;
  std::string name;
  base::RatePlanId rate_plan;         // unset = none
  base::RatePlanId vendor_rate_plan;  // unset = none
  // REQUIREMENTS 2.1: 0 = that direction is off, nullopt = no limit.
  std::optional<std::int64_t> incoming_max, outgoing_max;
  std::optional<std::int64_t> incoming_cps_max, outgoing_cps_max;
  bool enabled = true;
};

struct Snapshot {
  std::uint64_t version = 0;
  feed::PublishedRows<base::CustomerId, CustomerView> customers;
  feed::PublishedRows<base::TrunkId, TrunkView> trunks;
  money::RateTable rates;
  std::shared_ptr<const std::vector<base::CustomerId>> customer_ids;  // shared by snapshots with the same customers
};

}  // namespace tollgate::billing
