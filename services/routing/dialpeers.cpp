#include "services/routing/dialpeers.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::routing {

void Dialpeers::clear() {
  // The trunks that had dialpeers lose their plans, unless they get new ones.
  for (const auto& [trunk, dialpeers] : by_trunk_) {
    changed_trunks_.insert(trunk);
  }
  by_trunk_.clear();
  trunk_of_.clear();
}

void Dialpeers::set(base::TrunkId trunk, const Dialpeer& dialpeer) {
  const auto [known, is_new] = trunk_of_.try_emplace(dialpeer.id, trunk);
  if (!is_new) {
    remove(dialpeer.id);
    trunk_of_[dialpeer.id] = trunk;
  }
  by_trunk_[trunk].push_back(dialpeer);
  changed_trunks_.insert(trunk);
}

void Dialpeers::remove(base::DialpeerId id) {
  const auto known = trunk_of_.find(id);
  if (known == trunk_of_.end()) {
    return;
  }
  const auto trunk = known->second;
  const auto list = by_trunk_.find(trunk);
  std::erase_if(list->second, [id](const Dialpeer& dialpeer) { return dialpeer.id == id; });
  if (list->second.empty()) {
    by_trunk_.erase(list);
  }
  trunk_of_.erase(known);
  changed_trunks_.insert(trunk);
}

void Dialpeers::markTrunksUsing(const std::unordered_set<base::RuleId>& rules) {
  for (const auto& [trunk, dialpeers] : by_trunk_) {
    const bool has = std::any_of(dialpeers.begin(), dialpeers.end(), [&rules](const Dialpeer& one) { return rules.contains(one.rule); });
    if (has) {
      changed_trunks_.insert(trunk);
    }
  }
}

const std::vector<Dialpeer>* Dialpeers::of(base::TrunkId trunk) const {
  const auto list = by_trunk_.find(trunk);
  return list == by_trunk_.end() ? nullptr : &list->second;
}

std::unordered_set<base::TrunkId> Dialpeers::takeChangedTrunks() {
  return std::exchange(changed_trunks_, {});
}

}  // namespace tollgate::routing
