// All dialpeers by calling trunk, as many as a million. Plans are made from them. It remembers which trunks need a new plan.
// Thread: the feed's thread only.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libs/base/ids.hpp"

namespace tollgate::routing {

struct Dialpeer {
  base::DialpeerId id;
  base::CustomerId customer;
  base::RuleId rule;
  bool active = false;
};

class Dialpeers {
 public:
  void clear();
  void set(base::TrunkId trunk, const Dialpeer& dialpeer);
  void remove(base::DialpeerId id);
  // Counts the trunks that have a dialpeer with one of these rules as changed. Takes time in proportion to the number of dialpeers.
  void markTrunksUsing(const std::unordered_set<base::RuleId>& rules);

  // nullptr = the trunk has none.
  [[nodiscard]] const std::vector<Dialpeer>* of(base::TrunkId trunk) const;
  // The trunks whose dialpeers changed since the last call, and forgets them.
  [[nodiscard]] std::unordered_set<base::TrunkId> takeChangedTrunks();
  [[nodiscard]] std::size_t size() const { return trunk_of_.size(); }

 private:
  std::unordered_map<base::TrunkId, std::vector<Dialpeer>> by_trunk_;
  std::unordered_map<base::DialpeerId, base::TrunkId> trunk_of_;
  std::unordered_set<base::TrunkId> changed_trunks_;
};

}  // namespace tollgate::routing
