#include "services/routing/tables.hpp"

#include <algorithm>
#include <tuple>

#include "libs/feed/in_chunks.hpp"

namespace tollgate::routing {

base::Result<void> Tables::loadAll(sql::Session& session) {
  customers_.clear();
  trunks_.clear();
  TG_TRY(readCustomers(session, "", {}));
  TrunkRows trunks;
  TG_TRY(readTrunks(session, "", {}, trunks));
  TG_TRY(readEndpoints(session, "", {}, trunks));
  for (auto& [id, trunk] : trunks) {
    setTrunk(std::move(trunk));
  }
  RuleRows rules;
  TG_TRY(readRules(session, "", {}, rules));
  TG_TRY(readTargets(session, "", {}, rules));
  // The turns of the rules that stay go on.
  auto old = std::exchange(rules_, {});
  for (auto& [id, rule] : rules) {
    if (const auto* known = old.find(id)) {
      rule.turns = (*known)->turns;
    }
    setRule(std::move(rule));
  }
  recoded_.clear();
  dialpeers_.clear();
  return readDialpeers(session, "", {});
}

base::Result<void> Tables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  std::vector<base::CustomerId> customers;
  std::vector<base::TrunkId> trunks;
  std::vector<base::RuleId> rules;
  std::vector<base::DialpeerId> dialpeers;
  for (const auto& change : changes) {
    if (change.entity == "customer") {
      customers.emplace_back(change.entity_id);
    } else if (change.entity == "trunk") {
      trunks.emplace_back(change.entity_id);
    } else if (change.entity == "routing_rule") {
      rules.emplace_back(change.entity_id);
    } else if (change.entity == "dialpeer") {
      dialpeers.emplace_back(change.entity_id);
    }
  }
  TG_TRY(feed::inChunks(customers, [&](const std::string& in, const Ids& values, std::span<const base::CustomerId> ids) {
    std::for_each(ids.begin(), ids.end(), [this](base::CustomerId id) { removeCustomer(id); });
    return readCustomers(session, " WHERE id IN " + in, values);
  }));
  TG_TRY(feed::inChunks(trunks, [&](const std::string& in, const Ids& values, std::span<const base::TrunkId> ids) {
    return applyTrunks(session, in, values, ids);
  }));
  TG_TRY(feed::inChunks(rules, [&](const std::string& in, const Ids& values, std::span<const base::RuleId> ids) {
    return applyRules(session, in, values, ids);
  }));
  return feed::inChunks(dialpeers, [&](const std::string& in, const Ids& values, std::span<const base::DialpeerId> ids) {
    std::for_each(ids.begin(), ids.end(), [this](base::DialpeerId id) { removeDialpeer(id); });
    return readDialpeers(session, " WHERE id IN " + in, values);
  });
}

base::Result<void> Tables::applyTrunks(sql::Session& session, const std::string& in, const Ids& values,
                                       std::span<const base::TrunkId> ids) {
  TrunkRows rows;
  TG_TRY(readTrunks(session, " WHERE id IN " + in, values, rows));
  TG_TRY(readEndpoints(session, " WHERE trunk_id IN " + in, values, rows));
  for (const auto id : ids) {
    const auto row = rows.find(id);
    if (row == rows.end()) {
      removeTrunk(id);
    } else {
      setTrunk(std::move(row->second));
    }
  }
  return {};
}

base::Result<void> Tables::applyRules(sql::Session& session, const std::string& in, const Ids& values, std::span<const base::RuleId> ids) {
  RuleRows rows;
  TG_TRY(readRules(session, " WHERE id IN " + in, values, rows));
  TG_TRY(readTargets(session, " WHERE rule_id IN " + in, values, rows));
  for (const auto id : ids) {
    const auto row = rows.find(id);
    if (row == rows.end()) {
      removeRule(id);
    } else {
      setRule(std::move(row->second));
    }
  }
  return {};
}

void Tables::setTrunk(Trunk trunk) {
  const auto id = trunk.id;
  trunks_.set(id, std::make_shared<const Trunk>(std::move(trunk)));
}

void Tables::setRule(Rule rule) {
  const auto* old = rules_.find(rule.id);
  if (old == nullptr || (*old)->code != rule.code || (*old)->scope != rule.scope) {
    recoded_.insert(rule.id);
  }
  if (rule.turns == nullptr) {
    rule.turns = old == nullptr ? std::make_shared<Turns>() : (*old)->turns;
  }
  const auto id = rule.id;
  rules_.set(id, std::make_shared<const Rule>(std::move(rule)));
}

void Tables::removeRule(base::RuleId id) {
  if (rules_.find(id) != nullptr) {
    rules_.erase(id);
    recoded_.insert(id);
  }
}

std::shared_ptr<const Plan> Tables::makePlan(const std::vector<Dialpeer>& dialpeers) const {
  struct Entry {
    const Dialpeer* dialpeer;
    const Rule* rule;
  };
  std::vector<Entry> entries;
  entries.reserve(dialpeers.size());
  for (const auto& dialpeer : dialpeers) {
    const auto* rule = rules_.find(dialpeer.rule);
    if (dialpeer.active && rule != nullptr) {
      entries.push_back({&dialpeer, rule->get()});
    }
  }
  // Among equal codes the trie keeps this order: scoped rules first, then the older dialpeer.
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return std::tuple(!left.rule->scope.isSet(), left.dialpeer->id) < std::tuple(!right.rule->scope.isSet(), right.dialpeer->id);
  });
  std::vector<Plan::Entry> plan;
  plan.reserve(entries.size());
  for (const auto& [dialpeer, rule] : entries) {
    plan.emplace_back(rule->code, PlanEntry{dialpeer->id, dialpeer->rule, dialpeer->customer});
  }
  return plan.empty() ? nullptr : std::make_shared<const Plan>(std::move(plan));
}

void Tables::rebuildPlans() {
  if (!recoded_.empty()) {
    dialpeers_.touchTrunksOf(recoded_);
    recoded_.clear();
  }
  for (const auto trunk : dialpeers_.takeTouched()) {
    const auto* dialpeers = dialpeers_.of(trunk);
    auto plan = dialpeers == nullptr ? nullptr : makePlan(*dialpeers);
    if (plan == nullptr) {
      plans_.erase(trunk);
    } else {
      plans_.set(trunk, std::move(plan));
    }
  }
}

void Tables::publish(std::uint64_t version) {
  const auto begun = std::chrono::steady_clock::now();
  rebuildPlans();
  auto next = std::make_shared<Snapshot>();
  next->version = version;
  next->plans = plans_.publish();
  next->rules = rules_.publish();
  next->trunks = trunks_.publish();
  next->customers = customers_.publish();
  previous_ = current_.load();
  current_.store(next);
  if (on_published_) {
    on_published_(*next, {customers_.size(), trunks_.size(), rules_.size(), dialpeers_.size(), rows_refused_,
                          std::chrono::steady_clock::now() - begun});
  }
}

}  // namespace tollgate::routing
