#include "services/routing/route.hpp"

#include <algorithm>

#include "libs/base/limits.hpp"
#include "libs/digits/digits.hpp"
#include "services/routing/order.hpp"

namespace tollgate::routing {
namespace {

using base::Reason;

// Normally a rule has few targets and a number few matching codes; this bounds the trace when that is not so.
constexpr std::size_t kTraceLinesMax = 96;

std::string describe(const Trunk& trunk) {
  return "trunk " + std::to_string(trunk.id.value()) + " (" + trunk.name + ")";
}

std::string describe(const Rule& rule) {
  const std::string code = rule.code.text();
  std::string text = "rule " + std::to_string(rule.id.value()) + " (" + (code.empty() ? "*" : code);
  if (!rule.label.empty()) {
    text += " " + rule.label;
  }
  return text + ")";
}

// 1 endpoint, 2 endpoints
std::string counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

class Router {
 public:
  Router(const Snapshot& snapshot, const RouteQuery& query) : snapshot_(snapshot), query_(query) {}

  RouteDecision decide() {
    const auto number = digits::Digits::parse(query_.called);
    if (!number) {
      refuse(Reason::kMalformed, "dialpeer", "the called number is invalid: " + number.error().message);
    } else if (chooseRule(*number)) {
      gatherCandidates();
    }
    return std::move(decision_);
  }

 private:
  void trace(std::string_view check, std::string found, bool passed) {
    if (decision_.trace.size() < kTraceLinesMax) {
      decision_.trace.push_back({"routing", std::string(check), std::move(found), passed});
    }
  }

  void refuse(Reason reason, std::string_view check, std::string detail) {
    trace(check, detail, false);
    decision_.refusal = base::Refusal{reason, std::move(detail)};
  }

  std::string trunkText() const { return "trunk " + std::to_string(query_.trunk.value()); }

  bool chooseRule(const digits::Digits& number) {
    const auto* plan = snapshot_.plans.find(query_.trunk);
    if (plan == nullptr) {
      refuse(Reason::kNoRoute, "dialpeer", trunkText() + " has no active dialpeer");
      return false;
    }
    trace("dialpeer", trunkText() + " has " + counted((*plan)->size(), "active dialpeer"), true);
    (*plan)->visit(digits::PrefixCode::head(number.view()),
                   [&](digits::PrefixCode, const PlanEntry& entry) { return !isChosen(entry, number.size()); });
    if (decision_.rule == nullptr) {
      refuse(Reason::kNoRoute, "rule", "no rule of the dialpeers of " + trunkText() + " matches the called number");
      return false;
    }
    return true;
  }

  bool isChosen(const PlanEntry& entry, std::size_t digits) {
    const std::string dialpeer = "dialpeer " + std::to_string(entry.dialpeer.value());
    if (entry.customer != query_.customer) {
      trace("dialpeer", dialpeer + " is for another customer", false);
      return false;
    }
    const auto* found = snapshot_.rules.find(entry.rule);
    if (found == nullptr) {
      trace("rule", "rule " + std::to_string(entry.rule.value()) + " of " + dialpeer + " does not exist", false);
      return false;
    }
    const Rule& rule = **found;
    if (const std::string obstacle = obstacleOf(rule, digits); !obstacle.empty()) {
      trace("rule", describe(rule) + " of " + dialpeer + " " + obstacle, false);
      return false;
    }
    trace("rule", describe(rule) + " of " + dialpeer + " has the longest code that matches the called number", true);
    decision_.rule = &rule;
    decision_.dialpeer = entry.dialpeer;
    return true;
  }

  // What keeps the rule from being used for this call, as the rest of a sentence about it; empty = nothing.
  std::string obstacleOf(const Rule& rule, std::size_t digits) const {
    if (!rule.active) {
      return "is inactive";
    }
    if (rule.scope.isSet() && rule.scope != query_.trunk) {
      return "is only for calls of trunk " + std::to_string(rule.scope.value());
    }
    if (rule.digits_min && digits < *rule.digits_min) {
      return "requires at least " + counted(*rule.digits_min, "digit") + " and the called number has " + std::to_string(digits);
    }
    if (rule.digits_max && digits > *rule.digits_max) {
      return "allows at most " + counted(*rule.digits_max, "digit") + " and the called number has " + std::to_string(digits);
    }
    return {};
  }

  void gatherCandidates() {
    const Rule& rule = *decision_.rule;
    if (rule.mode == Mode::kUnsupported) {
      refuse(Reason::kNoRoute, "rule", describe(rule) + " has a mode that is not supported");
      return;
    }
    auto usable = usableTargets(rule);
    orderTargets(rule, usable, query_.dry_run);
    for (const auto& one : usable) {
      add(*one.trunk, one.target.weight, false);
    }
    if (decision_.candidates.empty()) {
      refuse(Reason::kNoRoute, "rule", describe(rule) + " has no usable target");
      return;
    }
    const std::size_t targets = decision_.candidates.size();
    decision_.by_load = rule.mode == Mode::kWeight ? static_cast<std::uint32_t>(targets) : 0;
    for (std::size_t at = 0; at < targets; ++at) {
      followChain(*decision_.candidates[at].trunk);
    }
  }

  std::vector<UsableTarget> usableTargets(const Rule& rule) {
    std::vector<UsableTarget> usable;
    usable.reserve(rule.targets.size());
    for (const auto& target : rule.targets) {
      const Trunk* trunk = usableTrunk(target.trunk);
      const bool again =
          std::any_of(usable.begin(), usable.end(), [&target](const UsableTarget& other) { return other.target.trunk == target.trunk; });
      if (trunk != nullptr && !again) {
        usable.push_back({target, trunk});
      }
    }
    return usable;
  }

  // nullptr and a line of the trace when calls cannot go to the trunk.
  const Trunk* usableTrunk(base::TrunkId id) {
    const auto* found = snapshot_.trunks.find(id);
    if (found == nullptr) {
      trace("candidate", "trunk " + std::to_string(id.value()) + " does not exist", false);
      return nullptr;
    }
    const Trunk& trunk = **found;
    if (const std::string obstacle = obstacleOf(trunk); !obstacle.empty()) {
      trace("candidate", obstacle, false);
      return nullptr;
    }
    return &trunk;
  }

  // What keeps calls from going to the trunk, as a sentence; empty = nothing.
  std::string obstacleOf(const Trunk& trunk) const {
    if (!trunk.enabled) {
      return describe(trunk) + " is disabled";
    }
    const Customer* vendor = snapshot_.customers.find(trunk.customer);
    if (vendor == nullptr || vendor->blocked) {
      const std::string customer = "customer " + std::to_string(trunk.customer.value());
      return vendor == nullptr ? customer + " of " + describe(trunk) + " does not exist"
                               : customer + " (" + vendor->name + ") of " + describe(trunk) + " is blocked";
    }
    if (!trunk.outgoing_allowed) {
      return describe(trunk) + " takes no outgoing calls";
    }
    return trunk.endpoints.empty() ? describe(trunk) + " has no endpoint" : "";
  }

  bool isCandidate(base::TrunkId id) const {
    return std::any_of(decision_.candidates.begin(), decision_.candidates.end(),
                       [id](const Candidate& other) { return other.trunk->id == id; });
  }

  bool add(const Trunk& trunk, std::uint32_t weight, bool from_next_trunk) {
    if (decision_.candidates.size() >= base::limits::kCandidatesMax) {
      trace("candidate", describe(trunk) + " is no candidate because a call has at most " + std::to_string(base::limits::kCandidatesMax),
            false);
      return false;
    }
    decision_.candidates.push_back({&trunk, weight, from_next_trunk});
    trace("candidate",
          describe(trunk) + " is candidate " + std::to_string(decision_.candidates.size()) +
              (from_next_trunk ? " as the next trunk on failure" : "") + " and has " + counted(trunk.endpoints.size(), "endpoint"),
          true);
    return true;
  }

  void followChain(const Trunk& from) {
    // Ends a cycle made of trunks that are not usable, which are in no list of candidates.
    std::vector<base::TrunkId> walked;
    base::TrunkId next = from.next;
    while (next.isSet() && !isCandidate(next) && std::find(walked.begin(), walked.end(), next) == walked.end() &&
           walked.size() < base::limits::kCandidatesMax) {
      walked.push_back(next);
      const Trunk* trunk = usableTrunk(next);
      if (trunk != nullptr && !add(*trunk, 1, true)) {
        return;
      }
      const auto* link = snapshot_.trunks.find(next);
      next = link == nullptr ? base::TrunkId() : (*link)->next;
    }
  }

  // Passed in.
  const Snapshot& snapshot_;
  const RouteQuery& query_;
  // Owned.
  RouteDecision decision_;
};

}  // namespace

RouteDecision route(const Snapshot& snapshot, const RouteQuery& query) {
  return Router(snapshot, query).decide();
}

}  // namespace tollgate::routing
