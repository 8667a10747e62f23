// Where may a call go? (REQUIREMENTS 3.1, 3.3, 3.4, 3.6, 2.15.) A function of a snapshot and the question; only the turns of the chosen
// rule move, and not for a dry run. Any thread.
//
// The longest code among the active dialpeers of the calling customer and trunk decides, with rules that are inactive, scoped to another
// trunk, or ask for another number length passed over; of two rules with the same code the one scoped to the trunk wins, then the older
// dialpeer. The chosen rule is final: when none of its targets is usable the call has no route, and no shorter code is tried.
//
// A target is usable when its trunk is enabled, takes outgoing calls, has an endpoint and its customer is not blocked. Candidates are the
// usable targets in the order of the rule's mode, then the next-trunk chain of each in the same order. A trunk comes once. A link of a
// chain that is not usable is passed over and the chain goes on behind it. A call may go back to the trunk it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/base/reason.hpp"
#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

struct Question {
  base::CustomerId customer;
  base::TrunkId trunk;
  std::string_view called;  // digits
  bool dry_run = false;
};

struct TraceLine {
  std::string_view check;  // dialpeer, rule, candidate
  std::string found;
  bool passed = false;
};

struct Refusal {
  base::Reason reason;
  std::string detail;
};

struct Candidate {
  const Trunk* trunk = nullptr;  // lives as long as the snapshot
  std::uint32_t weight = 0;
  bool from_next_trunk = false;
};

struct Answer {
  const Rule* rule = nullptr;  // lives as long as the snapshot; set as soon as one was chosen
  base::DialpeerId dialpeer;
  std::uint32_t by_load = 0;  // so many candidates are to be taken least loaded first (REQUIREMENTS 3.6)
  std::vector<Candidate> candidates;
  std::optional<Refusal> refusal;
  std::vector<TraceLine> trace;
};

[[nodiscard]] Answer route(const Snapshot& snapshot, const Question& question);

}  // namespace tollgate::routing
