// Orders the usable targets of a rule by its mode (REQUIREMENTS 3.6). Any thread.
#pragma once

#include <vector>

#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

// A target whose trunk may be called now.
struct UsableTarget {
  Target target;
  const Trunk* trunk = nullptr;
};

// Sorts `usable` by the rule's mode.
// priority: the lower number first; equal ones take turns. weight: the higher weight first; billing reorders by load later. percent: first
// the one whose turn it is by its share, then the others by weight. Equal ones keep the order of the rule's list.
// `dry_run`: the turns stay as they are.
void orderTargets(const Rule& rule, std::vector<UsableTarget>& usable, bool dry_run);

}  // namespace tollgate::routing
