// Where may a call go? (REQUIREMENTS 2.15, 3.1, 3.3, 3.4, 3.6.) A function of a snapshot and the query; only the turns of the chosen rule
// change, and a dry run does not change them. Any thread.
//
// The longest code among the active dialpeers of the calling customer and trunk decides. Rules that are inactive, scoped to another trunk,
// or for another number length are skipped. Of two rules with the same code the one scoped to the trunk is preferred, then the older
// dialpeer. The chosen rule is final: when none of its targets is usable the call has no route, and no shorter code is tried.
//
// A target is usable when its trunk is enabled, takes outgoing calls, has an endpoint and its customer is not blocked. Candidates are the
// usable targets in the order of the rule's mode, then the next-trunk chain of each in the same order. A trunk comes only once. A link of
// a chain that is not usable is skipped and the chain continues behind it. A call may go back to the trunk it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/decision.hpp"
#include "libs/base/ids.hpp"
#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

struct RouteQuery {
  base::CustomerId customer;
  base::TrunkId trunk;
  std::string_view called;  // digits
  bool dry_run = false;
};

struct Candidate {
  const Trunk* trunk = nullptr;  // lives as long as the snapshot
  std::uint32_t weight = 0;
  bool from_next_trunk = false;
};

struct RouteDecision {
  const Rule* rule = nullptr;  // lives as long as the snapshot; set as soon as one was chosen
  base::DialpeerId dialpeer;
  std::uint32_t by_load = 0;  // this many candidates are tried in the order of their load, lowest first (REQUIREMENTS 3.6)
  std::vector<Candidate> candidates;
  std::optional<base::Refusal> refusal;
  std::vector<base::TraceStep> trace;  // checks: dialpeer, rule, candidate
};

[[nodiscard]] RouteDecision route(const Snapshot& snapshot, const RouteQuery& query);

}  // namespace tollgate::routing
