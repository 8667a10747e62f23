#include "services/routing/tables.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tollgate::routing {

base::Result<void> Tables::loadAll(sql::Session& session) {
  const feed::IdFilter all;
  TG_TRY(customers_.loadAll(session));
  TrunkRows trunks;
  TG_TRY(readTrunks(session, all, trunks));
  TG_TRY(readEndpoints(session, all, trunks));
  replaceTrunks(std::move(trunks));
  RuleRows rules;
  TG_TRY(readRules(session, all, rules));
  TG_TRY(readTargets(session, all, rules));
  replaceRules(std::move(rules));
  dialpeers_.clear();
  return readDialpeers(session, all, [this](const DialpeerRow& row) { setDialpeer(row.trunk, row.dialpeer); });
}

void Tables::replaceTrunks(TrunkRows&& rows) {
  trunks_.clear();
  for (auto& [id, trunk] : rows) {
    setTrunk(std::move(trunk));
  }
}

// A full load must not restart the turns of the rules that stay. Every plan is made again after it, so no rule counts as moved.
void Tables::replaceRules(RuleRows&& rows) {
  const auto old = std::exchange(rules_, {});
  for (auto& [id, rule] : rows) {
    if (const auto* known = old.find(id)) {
      rule.turns = (*known)->turns;
    }
    setRule(std::move(rule));
  }
  moved_rules_.clear();
}

base::Result<void> Tables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  TG_TRY(customers_.apply(session, changes));
  TG_TRY(applyTrunks(session, feed::idsOf<base::TrunkId>(changes, "trunk")));
  TG_TRY(applyRules(session, feed::idsOf<base::RuleId>(changes, "routing_rule")));
  return applyDialpeers(session, feed::idsOf<base::DialpeerId>(changes, "dialpeer"));
}

base::Result<void> Tables::applyTrunks(sql::Session& session, const std::vector<base::TrunkId>& ids) {
  return feed::refreshRows<Trunk, base::TrunkId>(
      ids,
      [&](const feed::IdFilter& filter, TrunkRows& rows) -> base::Result<void> {
        TG_TRY(readTrunks(session, filter, rows));
        return readEndpoints(session, filter, rows);
      },
      [this](Trunk trunk) { setTrunk(std::move(trunk)); }, [this](base::TrunkId id) { removeTrunk(id); });
}

base::Result<void> Tables::applyRules(sql::Session& session, const std::vector<base::RuleId>& ids) {
  return feed::refreshRows<Rule, base::RuleId>(
      ids,
      [&](const feed::IdFilter& filter, RuleRows& rows) -> base::Result<void> {
        TG_TRY(readRules(session, filter, rows));
        return readTargets(session, filter, rows);
      },
      [this](Rule rule) { setRule(std::move(rule)); }, [this](base::RuleId id) { removeRule(id); });
}

base::Result<void> Tables::applyDialpeers(sql::Session& session, const std::vector<base::DialpeerId>& ids) {
  return feed::refreshRows<DialpeerRow, base::DialpeerId>(
      ids,
      [&](const feed::IdFilter& filter, DialpeerRows& rows) {
        return readDialpeers(session, filter, [&rows](const DialpeerRow& row) { rows[row.dialpeer.id] = row; });
      },
      [this](const DialpeerRow& row) { setDialpeer(row.trunk, row.dialpeer); }, [this](base::DialpeerId id) { removeDialpeer(id); });
}

void Tables::setTrunk(Trunk trunk) {
  const auto id = trunk.id;
  trunks_.set(id, std::make_shared<const Trunk>(std::move(trunk)));
}

void Tables::setRule(Rule rule) {
  const auto* old = rules_.find(rule.id);
  if (old == nullptr || (*old)->code != rule.code || (*old)->scope != rule.scope) {
    moved_rules_.insert(rule.id);
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
    moved_rules_.insert(id);
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
  // PrefixMap keeps this order among equal codes: scoped rules first, then the older dialpeer.
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
  if (!moved_rules_.empty()) {
    dialpeers_.markTrunksUsing(moved_rules_);
    moved_rules_.clear();
  }
  for (const auto trunk : dialpeers_.takeChangedTrunks()) {
    const auto* dialpeers = dialpeers_.of(trunk);
    auto plan = dialpeers == nullptr ? nullptr : makePlan(*dialpeers);
    if (plan == nullptr) {
      plans_.erase(trunk);
    } else {
      plans_.set(trunk, std::move(plan));
    }
  }
}

std::shared_ptr<Snapshot> Tables::makeSnapshot() {
  rebuildPlans();
  auto next = std::make_shared<Snapshot>();
  next->dialpeer_count = dialpeers_.size();
  next->plans = plans_.publish();
  next->rules = rules_.publish();
  next->trunks = trunks_.publish();
  next->customers = customers_.publish();
  return next;
}

}  // namespace tollgate::routing
