// The order of a rule's usable targets by its mode (REQUIREMENTS 3.6). Any thread.
#pragma once

#include <vector>

#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

// A target whose trunk may be called now.
struct Usable {
  Target target;
  const Trunk* trunk = nullptr;
};

// priority: lower first, turning among equals. weight: higher weight first, the load decides later. percent: the one whose turn it is by
// its share, the rest by weight. Equal ones stay in the order of the list.
void putInOrder(const Rule& rule, std::vector<Usable>& usable, bool dry_run);

}  // namespace tollgate::routing
