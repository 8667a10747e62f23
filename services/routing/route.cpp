#include "services/routing/route.hpp"

#include <algorithm>

#include "libs/base/limits.hpp"
#include "libs/digits/digits.hpp"
#include "services/routing/order.hpp"

namespace tollgate::routing {
namespace {

using base::Reason;

// A rule has few targets and a number few matching codes; the limit is there for what should not be.
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

std::string endpointCount(const Trunk& trunk) {
  return std::to_string(trunk.endpoints.size()) + (trunk.endpoints.size() == 1 ? " endpoint" : " endpoints");
}

class Decision {
 public:
  Decision(const Snapshot& snapshot, const Question& question) : snapshot_(snapshot), question_(question) {}

  Answer take() {
    const auto number = digits::Digits::parse(question_.called);
    if (!number) {
      refuse(Reason::kMalformed, "dialpeer", "the called number cannot be read: " + number.error().message);
    } else if (chooseRule(*number)) {
      gatherCandidates();
    }
    return std::move(answer_);
  }

 private:
  void trace(std::string_view check, std::string found, bool passed) {
    if (answer_.trace.size() < kTraceLinesMax) {
      answer_.trace.push_back({check, std::move(found), passed});
    }
  }

  void refuse(Reason reason, std::string_view check, std::string detail) {
    trace(check, detail, false);
    answer_.refusal = Refusal{reason, std::move(detail)};
  }

  std::string trunkText() const { return "trunk " + std::to_string(question_.trunk.value()); }

  bool chooseRule(const digits::Digits& number) {
    const auto* plan = snapshot_.plans.find(question_.trunk);
    if (plan == nullptr) {
      refuse(Reason::kNoRoute, "dialpeer", trunkText() + " has no active dialpeer");
      return false;
    }
    trace("dialpeer", "active dialpeers of " + trunkText() + ": " + std::to_string((*plan)->size()), true);
    (*plan)->visit(digits::PrefixCode::head(number.view()),
                   [&](digits::PrefixCode, const PlanEntry& entry) { return !isChosen(entry, number.size()); });
    if (answer_.rule == nullptr) {
      refuse(Reason::kNoRoute, "rule", "no rule of " + trunkText() + "'s dialpeers matches the number");
      return false;
    }
    return true;
  }

  bool isChosen(const PlanEntry& entry, std::size_t digits) {
    const std::string by = " by dialpeer " + std::to_string(entry.dialpeer.value());
    if (entry.customer != question_.customer) {
      trace("dialpeer", "dialpeer " + std::to_string(entry.dialpeer.value()) + " serves another customer", false);
      return false;
    }
    const auto* found = snapshot_.rules.find(entry.rule);
    if (found == nullptr) {
      trace("rule", "rule " + std::to_string(entry.rule.value()) + by + " does not exist", false);
      return false;
    }
    const Rule& rule = **found;
    if (const std::string why = whyPassedOver(rule, digits); !why.empty()) {
      trace("rule", describe(rule) + by + " is passed over: " + why, false);
      return false;
    }
    trace("rule", describe(rule) + by + " has the longest code that starts the number", true);
    answer_.rule = &rule;
    answer_.dialpeer = entry.dialpeer;
    return true;
  }

  std::string whyPassedOver(const Rule& rule, std::size_t digits) const {
    if (!rule.active) {
      return "it is inactive";
    }
    if (rule.scope.isSet() && rule.scope != question_.trunk) {
      return "it is for calls of trunk " + std::to_string(rule.scope.value());
    }
    if (rule.digits_min && digits < *rule.digits_min) {
      return "it asks for at least " + std::to_string(*rule.digits_min) + " digits, the number has " + std::to_string(digits);
    }
    if (rule.digits_max && digits > *rule.digits_max) {
      return "it asks for at most " + std::to_string(*rule.digits_max) + " digits, the number has " + std::to_string(digits);
    }
    return {};
  }

  void gatherCandidates() {
    const Rule& rule = *answer_.rule;
    if (rule.mode == Mode::kUnsupported) {
      refuse(Reason::kNoRoute, "rule", describe(rule) + " has a mode that is not supported");
      return;
    }
    auto usable = usableTargets(rule);
    putInOrder(rule, usable, question_.dry_run);
    for (const auto& one : usable) {
      add(*one.trunk, one.target.weight, false);
    }
    if (answer_.candidates.empty()) {
      refuse(Reason::kNoRoute, "rule", describe(rule) + " has no usable target");
      return;
    }
    const std::size_t targets = answer_.candidates.size();
    answer_.by_load = rule.mode == Mode::kWeight ? static_cast<std::uint32_t>(targets) : 0;
    for (std::size_t at = 0; at < targets; ++at) {
      followChain(*answer_.candidates[at].trunk);
    }
  }

  std::vector<Usable> usableTargets(const Rule& rule) {
    std::vector<Usable> usable;
    usable.reserve(rule.targets.size());
    for (const auto& target : rule.targets) {
      const Trunk* trunk = usableTrunk(target.trunk);
      const bool again =
          std::any_of(usable.begin(), usable.end(), [&target](const Usable& other) { return other.target.trunk == target.trunk; });
      if (trunk != nullptr && !again) {
        usable.push_back({target, trunk});
      }
    }
    return usable;
  }

  // nullptr and a line of the trace when calls cannot go there.
  const Trunk* usableTrunk(base::TrunkId id) {
    const auto* found = snapshot_.trunks.find(id);
    if (found == nullptr) {
      trace("candidate", "trunk " + std::to_string(id.value()) + " does not exist", false);
      return nullptr;
    }
    const Trunk& trunk = **found;
    if (const std::string why = whyNotUsable(trunk); !why.empty()) {
      trace("candidate", describe(trunk) + " is skipped: " + why, false);
      return nullptr;
    }
    return &trunk;
  }

  std::string whyNotUsable(const Trunk& trunk) const {
    if (!trunk.enabled) {
      return "it is disabled";
    }
    const Customer* vendor = snapshot_.customers.find(trunk.customer);
    if (vendor == nullptr || vendor->blocked) {
      return "customer " + std::to_string(trunk.customer.value()) + " (" + (vendor == nullptr ? "missing" : vendor->name) + ") is blocked";
    }
    if (!trunk.outgoing_allowed) {
      return "outgoing calls are off";
    }
    return trunk.endpoints.empty() ? "it has no endpoint" : "";
  }

  bool isCandidate(base::TrunkId id) const {
    return std::any_of(answer_.candidates.begin(), answer_.candidates.end(),
                       [id](const Candidate& other) { return other.trunk->id == id; });
  }

  bool add(const Trunk& trunk, std::uint32_t weight, bool from_next_trunk) {
    if (answer_.candidates.size() >= base::limits::kCandidatesMax) {
      trace("candidate",
            describe(trunk) + " is skipped: a call has at most " + std::to_string(base::limits::kCandidatesMax) + " candidates", false);
      return false;
    }
    answer_.candidates.push_back({&trunk, weight, from_next_trunk});
    trace("candidate",
          std::to_string(answer_.candidates.size()) + ": " + describe(trunk) + ", " + endpointCount(trunk) +
              (from_next_trunk ? ", next trunk on failure" : ""),
          true);
    return true;
  }

  void followChain(const Trunk& from) {
    // Links already walked over without becoming candidates end a cycle made of unusable trunks.
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
  const Question& question_;
  // Owned.
  Answer answer_;
};

}  // namespace

Answer route(const Snapshot& snapshot, const Question& question) {
  return Decision(snapshot, question).take();
}

}  // namespace tollgate::routing
