#include "services/billing/config/tables.hpp"

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "libs/feed/id_filter.hpp"
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
// After more deletions than this at a time all rates are read again, because each deletion searches all plans.
constexpr std::size_t kDeletedRatesMax = 1000;
// With more changed rows of one entity than this its whole table is read again: that is quicker than so many single rows. The tables of the
// other entities are not read.
constexpr std::size_t kRowsByIdMax = 50'000;
constexpr std::int64_t kRatesPerRead = 100'000;

std::optional<std::int64_t> limitOf(const sql::Row& row, std::size_t column) {
  return row.isNull(column) ? std::nullopt : std::optional<std::int64_t>(row.integer(column));
}

money::Currency currencyOf(const std::string& text) {
  return money::Currency::parse(text).value_or(money::Currency());
}

CustomerView readCustomer(const sql::Row& row) {
  CustomerView customer;
  customer.id = base::CustomerId(row.integer(0));
  customer.currency = currencyOf(row.text(1));
  customer.prepaid = row.text(2) == "prepaid";
  if (customer.prepaid) {
    customer.floor_micros = 0;
  } else if (row.integer(4) != 0) {
    customer.floor_micros = std::nullopt;
  } else {
    customer.floor_micros = -(row.integer(3) + (row.integer(5) != 0 ? row.integer(6) : 0));
  }
  return customer;
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

struct PlanRate {
  base::RatePlanId plan;
  money::RateRow row;
};

PlanRate readPlanRate(const sql::Row& row) {
  return {base::RatePlanId(row.integer(1)), readRate(row)};
}

// For feed::refreshRows: the rows of `select`, by the id in their first column.
template <class Row, class Id>
auto reader(sql::Session& session, const char* select, Row (*read)(const sql::Row&)) {
  return [&session, select, read](const feed::IdFilter& filter, std::unordered_map<Id, Row>& rows) {
    return session.each(select + filter.where("id"), filter.values(),
                        [&rows, read](const sql::Row& row) { rows.insert_or_assign(Id(row.integer(0)), read(row)); });
  };
}

// Calls `take` for each rate in the order of the ids, in pieces. `and_where` is appended to the condition. Errors: of the session, then the
// first of `take`.
base::Result<void> eachRate(sql::Session& session, const std::string& and_where,
                            const std::function<base::Result<void>(base::RatePlanId, const money::RateRow&)>& take) {
  std::int64_t last = 0;
  base::Result<void> outcome;
  for (bool more = true; more && outcome;) {
    std::int64_t count = 0;
    TG_TRY(session.each(std::string(kRateColumns) + " FORCE INDEX (PRIMARY) WHERE id > " + std::to_string(last) + and_where +
                            " ORDER BY id LIMIT " + std::to_string(kRatesPerRead),
                        {}, [&](const sql::Row& row) {
                          ++count;
                          last = row.integer(0);
                          if (outcome) {
                            outcome = take(base::RatePlanId(row.integer(1)), readRate(row));
                          }
                        }));
    more = count == kRatesPerRead;
  }
  return outcome;
}

}  // namespace

void ConfigTables::setCustomer(const CustomerView& customer) {
  if (customer_ids_.insert(customer.id).second) {
    new_customers_.push_back(customer.id);
    customers_changed_ = true;
  }
  customers_.set(customer.id, customer);
}

base::Result<void> ConfigTables::loadAll(sql::Session& session) {
  TG_TRY(loadCustomers(session));
  TG_TRY(loadTrunks(session));
  return loadRates(session);
}

base::Result<void> ConfigTables::loadCustomers(sql::Session& session) {
  customers_.clear();
  const std::set<base::CustomerId> before = std::exchange(customer_ids_, {});
  TG_TRY(session.each(kCustomerColumns, {}, [this](const sql::Row& row) { setCustomer(readCustomer(row)); }));
  std::erase_if(new_customers_, [&](base::CustomerId id) { return before.contains(id); });
  customers_changed_ = true;
  return {};
}

base::Result<void> ConfigTables::loadTrunks(sql::Session& session) {
  trunks_.clear();
  return session.each(kTrunkColumns, {}, [this](const sql::Row& row) { trunks_.set(base::TrunkId(row.integer(0)), readTrunk(row)); });
}

// Reads along the primary key, so that MySQL sorts nothing and the first row comes immediately. A plan that is in force already is compared
// with the rows while they arrive, and is kept if it is the same; only the others are built, in a second pass. So a full reload needs
// memory for the plans that have changed and not for all.
base::Result<void> ConfigTables::loadRates(sql::Session& session) {
  std::unordered_map<base::RatePlanId, money::Currency> currencies;
  TG_TRY(session.each("SELECT id, currency FROM rate_plans", {},
                      [&](const sql::Row& row) { currencies[base::RatePlanId(row.integer(0))] = currencyOf(row.text(1)); }));
  std::unordered_map<base::RatePlanId, std::size_t> same;  // rows of plans in force that are as they were
  std::unordered_set<base::RatePlanId> changed;
  for (const auto& [plan, currency] : currencies) {
    const auto known = plans_.find(plan);
    const bool is_comparable = known != plans_.end() && known->second->size() > 0 && known->second->currency() == currency;
    is_comparable ? (void)(same[plan] = 0) : (void)changed.insert(plan);
  }
  if (!same.empty()) {
    TG_TRY(eachRate(session, "", [&](base::RatePlanId plan, const money::RateRow& row) -> base::Result<void> {
      if (const auto count = same.find(plan); count != same.end()) {
        plans_[plan]->contains(row) ? (void)++count->second : (void)changed.insert(plan);
      }
      return {};
    }));
    for (const auto& [plan, count] : same) {
      if (count != plans_[plan]->size()) {
        changed.insert(plan);
      }
    }
  }
  std::erase_if(plans_, [&](const auto& plan) { return !currencies.contains(plan.first); });
  return buildPlans(session, changed, currencies);
}

// Reads the rates of these plans and puts them into the place of what was known.
base::Result<void> ConfigTables::buildPlans(sql::Session& session, const std::unordered_set<base::RatePlanId>& plans,
                                            const std::unordered_map<base::RatePlanId, money::Currency>& currencies) {
  if (plans.empty()) {
    return {};
  }
  std::string list;
  for (const base::RatePlanId plan : plans) {
    list += (list.empty() ? "" : ",") + std::to_string(plan.value());
  }
  const std::string of_these = plans.size() == currencies.size() ? "" : " AND plan_id IN (" + list + ")";
  std::unordered_map<base::RatePlanId, money::PlanRates::Builder> builders;
  for (const base::RatePlanId plan : plans) {
    builders.emplace(plan, money::PlanRates::Builder(plan, currencies.at(plan)));
  }
  TG_TRY(eachRate(session, of_these, [&](base::RatePlanId plan, const money::RateRow& row) -> base::Result<void> {
    const auto builder = builders.find(plan);
    return builder == builders.end() ? base::Result<void>{} : builder->second.add(row);
  }));
  while (!builders.empty()) {
    const auto first = builders.begin();
    plans_[first->first] = first->second.build();
    builders.erase(first);  // one plan at a time is in memory twice
  }
  return {};
}

base::Result<void> ConfigTables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  TG_TRY(applyCustomers(session, feed::idsOf<base::CustomerId>(changes, "customer")));
  TG_TRY(applyTrunks(session, feed::idsOf<base::TrunkId>(changes, "trunk")));
  for (const base::RatePlanId plan : feed::idsOf<base::RatePlanId>(changes, "rate_plan")) {
    TG_TRY(applyPlan(session, plan));
  }
  return applyRates(session, feed::idsOf<base::RateId>(changes, "rate"));
}

base::Result<void> ConfigTables::applyCustomers(sql::Session& session, const std::vector<base::CustomerId>& ids) {
  if (ids.size() > kRowsByIdMax) {
    return loadCustomers(session);
  }
  return feed::refreshRows<CustomerView, base::CustomerId>(
      ids, reader<CustomerView, base::CustomerId>(session, kCustomerColumns, readCustomer),
      [this](const CustomerView& customer) { setCustomer(customer); },
      [this](base::CustomerId id) {
        customers_.erase(id);
        customers_changed_ = customer_ids_.erase(id) != 0 || customers_changed_;
      });
}

base::Result<void> ConfigTables::applyTrunks(sql::Session& session, const std::vector<base::TrunkId>& ids) {
  if (ids.size() > kRowsByIdMax) {
    return loadTrunks(session);
  }
  return feed::refreshRows<TrunkView, base::TrunkId>(
      ids, reader<TrunkView, base::TrunkId>(session, kTrunkColumns, readTrunk),
      [this](TrunkView trunk) { trunks_.set(trunk.id, std::move(trunk)); }, [this](base::TrunkId id) { trunks_.erase(id); });
}

base::Result<void> ConfigTables::applyPlan(sql::Session& session, base::RatePlanId plan) {
  TG_TRY_ASSIGN(rows, session.query("SELECT currency FROM rate_plans WHERE id = ?", {plan.value()}));
  if (rows.empty()) {
    plans_.erase(plan);
    return {};
  }
  std::vector<money::RateRow> rates;
  TG_TRY(session.each(std::string(kRateColumns) + " WHERE plan_id = ?", {plan.value()},
                      [&](const sql::Row& row) { rates.push_back(readRate(row)); }));
  TG_TRY_ASSIGN(built, money::PlanRates::build(plan, currencyOf(rows.front().text(0)), rates));
  plans_[plan] = std::move(built);
  return {};
}

// The plan of a rate never changes, so a new row replaces the old one in the same plan.
base::Result<void> ConfigTables::applyRates(sql::Session& session, const std::vector<base::RateId>& ids) {
  if (ids.size() > kRowsByIdMax) {
    return loadRates(session);
  }
  std::map<base::RatePlanId, std::vector<money::RateRow>> saved;
  std::vector<base::RateId> deleted;
  TG_TRY((feed::refreshRows<PlanRate, base::RateId>(
      ids, reader<PlanRate, base::RateId>(session, kRateColumns, readPlanRate),
      [&saved](PlanRate rate) { saved[rate.plan].push_back(std::move(rate.row)); },
      [&deleted](base::RateId id) { deleted.push_back(id); })));
  if (deleted.size() > kDeletedRatesMax) {
    return loadRates(session);
  }
  TG_TRY(removeRates(deleted));
  for (const auto& [plan, rows] : saved) {
    const auto found = plans_.find(plan);
    if (found == plans_.end()) {
      TG_TRY(applyPlan(session, plan));
      continue;
    }
    TG_TRY_ASSIGN(changed, found->second->with(rows, {}));
    found->second = std::move(changed);
  }
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

std::shared_ptr<Snapshot> ConfigTables::makeSnapshot() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->customers = customers_.publish();
  snapshot->trunks = trunks_.publish();
  snapshot->rates = money::RateTable(plans_);
  const auto last = current();
  snapshot->customer_ids = customers_changed_ || last == nullptr
                               ? std::make_shared<const std::vector<base::CustomerId>>(customer_ids_.begin(), customer_ids_.end())
                               : last->customer_ids;
  customers_changed_ = false;
  return snapshot;
}

void ConfigTables::published(const Snapshot& snapshot) {
  version_.set(static_cast<double>(snapshot.version));
  telemetry::info("configuration in force", {{"version", static_cast<std::int64_t>(snapshot.version)},
                                             {"customers", static_cast<std::int64_t>(customers_.size())},
                                             {"trunks", static_cast<std::int64_t>(trunks_.size())},
                                             {"plans", static_cast<std::int64_t>(plans_.size())}});
  if (const auto created = std::exchange(new_customers_, {}); !created.empty()) {
    on_new_customers_(created);
  }
}

}  // namespace tollgate::billing
