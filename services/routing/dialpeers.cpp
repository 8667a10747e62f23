#include "services/routing/dialpeers.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::routing {

void Dialpeers::clear() {
  // Trunks that had a plan must get an empty one.
  for (const auto& [trunk, dialpeers] : by_trunk_) {
    touched_.insert(trunk);
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
  touched_.insert(trunk);
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
  touched_.insert(trunk);
}

void Dialpeers::touchTrunksOf(const std::unordered_set<base::RuleId>& rules) {
  for (const auto& [trunk, dialpeers] : by_trunk_) {
    const bool has = std::any_of(dialpeers.begin(), dialpeers.end(), [&rules](const Dialpeer& one) { return rules.contains(one.rule); });
    if (has) {
      touched_.insert(trunk);
    }
  }
}

const std::vector<Dialpeer>* Dialpeers::of(base::TrunkId trunk) const {
  const auto list = by_trunk_.find(trunk);
  return list == by_trunk_.end() ? nullptr : &list->second;
}

std::unordered_set<base::TrunkId> Dialpeers::takeTouched() {
  return std::exchange(touched_, {});
}

}  // namespace tollgate::routing
