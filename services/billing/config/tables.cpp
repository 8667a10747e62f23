#include "services/billing/config/tables.hpp"

#include <algorithm>
#include <map>

#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

constexpr const char* kCustomerColumns =
    "SELECT id, currency, billing_type, credit_line_micros, unlimited, overdraft_allowed, overdraft_limit_micros FROM customers";
constexpr const char* kTrunkColumns =
    "SELECT id, customer_id, name, rate_plan_id, vendor_rate_plan_id, max_concurrent_incoming, max_concurrent_outgoing, max_cps_incoming, "
    "max_cps_outgoing, status FROM trunks";
// Times as integers: parsing five million texts would take seconds.
constexpr const char* kRateColumns =
    "SELECT id, plan_id, prefix, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', valid_from), "
    "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', valid_to), per_minute_micros, connection_fee_micros, connection_seconds, "
    "billing_block_seconds FROM rates";
// After more deletions than this at a time all rates are loaded again.
constexpr std::size_t kDeletedRatesMax = 1000;

std::optional<std::int64_t> limitOf(const sql::Row& row, std::size_t column) {
  return row.isNull(column) ? std::nullopt : std::optional<std::int64_t>(row.integer(column));
}

TrunkView readTrunk(const sql::Row& row) {
  TrunkView trunk;
  trunk.id = base::TrunkId(row.integer(0));
  trunk.customer = base::CustomerId(row.integer(1));
  trunk.name = row.text(2);
  trunk.rate_plan = base::RatePlanId(row.integer(3));
  trunk.vendor_rate_plan = base::RatePlanId(row.integer(4));
  trunk.incoming_max = limitOf(row, 5);
  trunk.outgoing_max = limitOf(row, 6);
  trunk.incoming_cps_max = limitOf(row, 7);
  trunk.outgoing_cps_max = limitOf(row, 8);
  trunk.enabled = row.text(9) == "enabled";
  return trunk;
}

money::RateRow readRate(const sql::Row& row) {
  money::RateRow rate;
  rate.id = base::RateId(row.integer(0));
  rate.prefix = row.text(2);
  rate.valid_from = base::WallTime(std::chrono::microseconds(row.integer(3)));
  if (!row.isNull(4)) {
    rate.valid_to = base::WallTime(std::chrono::microseconds(row.integer(4)));
  }
  rate.per_minute_micros = row.integer(5);
  rate.connection_fee_micros = row.integer(6);
  rate.connection_seconds = row.integer(7);
  rate.billing_block_seconds = row.integer(8);
  return rate;
}

}  // namespace

ConfigTables::ConfigTables(SnapshotHolder& holder, telemetry::Gauge& version,
                           std::function<void(const std::vector<base::CustomerId>&)> on_new_customers)
    : holder_(holder), version_(version), on_new_customers_(std::move(on_new_customers)) {}

void ConfigTables::putCustomer(const sql::Row& row) {
  CustomerView customer;
  customer.id = base::CustomerId(row.integer(0));
  customer.currency = money::Currency::parse(row.text(1)).value_or(money::Currency());
  customer.prepaid = row.text(2) == "prepaid";
  if (customer.prepaid) {
    customer.floor_micros = 0;
  } else if (row.integer(4) != 0) {
    customer.floor_micros = std::nullopt;
  } else {
    customer.floor_micros = -(row.integer(3) + (row.integer(5) != 0 ? row.integer(6) : 0));
  }
  if (customer_ids_.insert(customer.id).second) {
    new_customers_.push_back(customer.id);
    customers_changed_ = true;
  }
  customers_.set(customer.id, customer);
}

base::Result<void> ConfigTables::loadAll(sql::Session& session) {
  customers_.clear();
  trunks_.clear();
  const std::set<base::CustomerId> before = std::exchange(customer_ids_, {});
  TG_TRY(session.each(kCustomerColumns, {}, [this](const sql::Row& row) { putCustomer(row); }));
  std::erase_if(new_customers_, [&](base::CustomerId id) { return before.contains(id); });
  customers_changed_ = true;
  TG_TRY(session.each(kTrunkColumns, {}, [this](const sql::Row& row) { trunks_.set(base::TrunkId(row.integer(0)), readTrunk(row)); }));
  return loadRates(session);
}

// Plan by plan, in the order of the rows, so that the rows of only one plan are in memory twice at a time.
base::Result<void> ConfigTables::loadRates(sql::Session& session) {
  plans_.clear();
  std::unordered_map<base::RatePlanId, money::Currency> currencies;
  TG_TRY(session.each("SELECT id, currency FROM rate_plans", {}, [&](const sql::Row& row) {
    currencies[base::RatePlanId(row.integer(0))] = money::Currency::parse(row.text(1)).value_or(money::Currency());
  }));
  std::vector<money::RateRow> rows;
  base::RatePlanId current;
  base::Result<void> outcome;
  const auto finishPlan = [&] {
    if (!current.isSet() || !outcome) {
      return;
    }
    auto built = money::PlanRates::build(current, currencies[current], rows);
    rows.clear();
    if (!built) {
      outcome = tl::unexpected(built.error());
      return;
    }
    plans_[current] = std::move(*built);
  };
  TG_TRY(session.each(std::string(kRateColumns) + " ORDER BY plan_id, prefix, valid_from", {}, [&](const sql::Row& row) {
    const base::RatePlanId plan(row.integer(1));
    if (plan != current) {
      finishPlan();
      current = plan;
    }
    rows.push_back(readRate(row));
  }));
  finishPlan();
  TG_TRY(outcome);
  for (const auto& [plan, currency] : currencies) {
    if (!plans_.contains(plan)) {
      TG_TRY_ASSIGN(empty, money::PlanRates::build(plan, currency, {}));
      plans_[plan] = std::move(empty);
    }
  }
  return {};
}

base::Result<void> ConfigTables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  std::vector<std::int64_t> saved_rates;
  std::vector<base::RateId> deleted_rates;
  for (const feed::Change& change : changes) {
    if (change.entity == "customer") {
      TG_TRY(applyCustomer(session, change.entity_id));
    } else if (change.entity == "trunk") {
      TG_TRY(applyTrunk(session, change.entity_id));
    } else if (change.entity == "rate_plan") {
      TG_TRY(applyPlan(session, change.entity_id));
    } else if (change.entity == "rate" && change.deleted) {
      deleted_rates.emplace_back(change.entity_id);
    } else if (change.entity == "rate") {
      saved_rates.push_back(change.entity_id);
    }
  }
  if (deleted_rates.size() > kDeletedRatesMax) {
    return loadRates(session);
  }
  TG_TRY(removeRates(deleted_rates));
  return saveRates(session, saved_rates);
}

base::Result<void> ConfigTables::applyCustomer(sql::Session& session, std::int64_t id) {
  TG_TRY_ASSIGN(rows, session.query(std::string(kCustomerColumns) + " WHERE id = ?", {id}));
  if (!rows.empty()) {
    putCustomer(rows.front());
    return {};
  }
  customers_.erase(base::CustomerId(id));
  customers_changed_ = customer_ids_.erase(base::CustomerId(id)) != 0 || customers_changed_;
  return {};
}

base::Result<void> ConfigTables::applyTrunk(sql::Session& session, std::int64_t id) {
  TG_TRY_ASSIGN(rows, session.query(std::string(kTrunkColumns) + " WHERE id = ?", {id}));
  if (rows.empty()) {
    trunks_.erase(base::TrunkId(id));
  } else {
    trunks_.set(base::TrunkId(id), readTrunk(rows.front()));
  }
  return {};
}

base::Result<void> ConfigTables::applyPlan(sql::Session& session, std::int64_t id) {
  TG_TRY_ASSIGN(rows, session.query("SELECT currency FROM rate_plans WHERE id = ?", {id}));
  const base::RatePlanId plan(id);
  if (rows.empty()) {
    plans_.erase(plan);
    return {};
  }
  return rebuildPlan(session, plan, money::Currency::parse(rows.front().text(0)).value_or(money::Currency()));
}

base::Result<void> ConfigTables::rebuildPlan(sql::Session& session, base::RatePlanId plan, money::Currency currency) {
  std::vector<money::RateRow> rates;
  TG_TRY(session.each(std::string(kRateColumns) + " WHERE plan_id = ?", {plan.value()},
                      [&](const sql::Row& row) { rates.push_back(readRate(row)); }));
  TG_TRY_ASSIGN(built, money::PlanRates::build(plan, currency, rates));
  plans_[plan] = std::move(built);
  return {};
}

// The plan of a deleted row is unknown, so every plan is searched; deletions are rare.
base::Result<void> ConfigTables::removeRates(const std::vector<base::RateId>& ids) {
  if (ids.empty()) {
    return {};
  }
  for (auto& [plan, rates] : plans_) {
    if (rates->containsAny(ids)) {
      TG_TRY_ASSIGN(changed, rates->with({}, ids));
      rates = std::move(changed);
    }
  }
  return {};
}

// The plan of a rate never changes, so the new row replaces the old one in the same plan.
base::Result<void> ConfigTables::saveRates(sql::Session& session, const std::vector<std::int64_t>& ids) {
  std::map<base::RatePlanId, std::vector<money::RateRow>> by_plan;
  constexpr std::size_t kChunk = 500;
  for (std::size_t first = 0; first < ids.size(); first += kChunk) {
    const std::size_t last = std::min(ids.size(), first + kChunk);
    std::string marks;
    std::vector<sql::Value> values;
    for (std::size_t i = first; i < last; ++i) {
      marks += i == first ? "?" : ",?";
      values.emplace_back(ids[i]);
    }
    TG_TRY(session.each(std::string(kRateColumns) + " WHERE id IN (" + marks + ")", values,
                        [&](const sql::Row& row) { by_plan[base::RatePlanId(row.integer(1))].push_back(readRate(row)); }));
  }
  for (const auto& [plan, rows] : by_plan) {
    const auto found = plans_.find(plan);
    if (found == plans_.end()) {
      TG_TRY(applyPlan(session, plan.value()));
      continue;
    }
    TG_TRY_ASSIGN(changed, found->second->with(rows, {}));
    found->second = std::move(changed);
  }
  return {};
}

void ConfigTables::publish(std::uint64_t version) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->version = version;
  snapshot->customers = customers_.publish();
  snapshot->trunks = trunks_.publish();
  snapshot->rates = money::RateTable(plans_);
  if (customers_changed_ || !published_ids_) {
    published_ids_ = std::make_shared<const std::vector<base::CustomerId>>(customer_ids_.begin(), customer_ids_.end());
    customers_changed_ = false;
  }
  snapshot->customer_ids = published_ids_;
  holder_.set(std::move(snapshot));
  version_.set(static_cast<double>(version));
  telemetry::info("configuration in force", {{"version", static_cast<std::int64_t>(version)},
                                             {"customers", static_cast<std::int64_t>(customers_.size())},
                                             {"trunks", static_cast<std::int64_t>(trunks_.size())},
                                             {"plans", static_cast<std::int64_t>(plans_.size())}});
  if (const auto created = std::exchange(new_customers_, {}); !created.empty()) {
    on_new_customers_(created);
  }
}

}  // namespace tollgate::billing
