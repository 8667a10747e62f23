// Identifying, routing, reserving: the three decisions before an INVITE goes to a carrier.
#include "libs/call/machine.hpp"

#include <algorithm>
#include <utility>

#include "libs/base/limits.hpp"

namespace tollgate::call {

CallMachine::CallMachine(base::CallId id, const Policy& policy) : id_(std::move(id)), policy_(policy) {}

void CallMachine::handle(Event event, const Moment& at, Actions& out) {
  now_ = at;
  out_ = &out;
  std::visit([this](auto& concrete) { on(concrete); }, event);
  settlePhase();
  out_ = nullptr;
}

void CallMachine::on(Invited& event) {
  if (phase_ != Phase::kNew) {
    ignore();
    return;
  }
  invited_at_ = now_.monotonic;
  last_heartbeat_ = now_.monotonic;
  record_.setup_at = now_.wall;
  record_.ingress_sip_call_id = std::move(event.sip_call_id);
  record_.caller_in = std::move(event.caller);
  record_.called_in = std::move(event.called);
  record_.source_address = std::move(event.source_address);
  record_.source_port = event.source_port;
  record_.transport = event.transport;
  has_offer_ = event.has_offer;
  phase_ = Phase::kIdentifying;
  if (event.refuse != base::Reason::kUnspecified) {
    addTrace("ingress", "invite", std::move(event.refuse_detail), false);
    reject(event.refuse, EndedBy::kTollgate);
    return;
  }
  arm(TimerKind::kSetup, policy_.setup_timeout);
  ask(Decision::kAuthorize, AskAuthorize{}, Phase::kIdentifying);
}

void CallMachine::on(Authorized& event) {
  if (!takeDecision(Decision::kAuthorize)) {
    return;
  }
  addTrace(event.trace);
  setIdentified(std::move(event.identified));
  publish(Published::kStarted);
  if (event.offer_refused != base::Reason::kUnspecified) {
    const bool codec = event.offer_refused == base::Reason::kNoCommonCodec;
    addTrace("ingress", "offer", codec ? "the offer has no codec that the source row allows" : "the SDP of the offer cannot be read",
             false);
    reject(event.offer_refused, EndedBy::kTollgate);
    return;
  }
  ask(Decision::kRoute, AskRoute{}, Phase::kRouting);
}

void CallMachine::on(Routed& event) {
  if (!takeDecision(Decision::kRoute)) {
    return;
  }
  addTrace(event.trace);
  record_.rule = event.rule;
  record_.rule_code = std::move(event.rule_code);
  record_.dialpeer = event.dialpeer;
  candidates_ = std::move(event.candidates);
  if (candidates_.size() > base::limits::kCandidatesMax) {
    candidates_.resize(base::limits::kCandidatesMax);
  }
  publish(Published::kRouted);
  if (candidates_.empty()) {
    reject(base::Reason::kNoRoute, EndedBy::kTollgate);  // REQUIREMENTS 3.4
    return;
  }
  chooseUsable(event.by_load);
  if (asked_.empty()) {
    const bool codec =
        std::all_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.unusable == base::Reason::kNoCommonCodec; });
    reject(codec ? base::Reason::kNoCommonCodec : base::Reason::kNoTargetAvailable, EndedBy::kTollgate);
    return;
  }
  ask(Decision::kReserve, AskReserve{}, Phase::kReserving);
}

void CallMachine::chooseUsable(std::uint32_t by_load) {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const auto& candidate = candidates_[i];
    if (candidate.unusable != base::Reason::kUnspecified) {
      recordSkipped(i, candidate.unusable, "");
    } else if (candidate.endpoints.empty()) {
      recordSkipped(i, base::Reason::kNoTargetAvailable, "the trunk has no endpoint");
    } else {
      asked_.push_back(i);
      asked_by_load_ += i < by_load ? 1 : 0;
    }
  }
}

void CallMachine::on(Reserved& event) {
  if (!takeDecision(Decision::kReserve)) {
    return;
  }
  addTrace(event.trace);
  record_.rate = std::move(event.rate);
  record_.held_micros = event.held_micros;
  record_.paid_seconds = event.paid_seconds;
  first_paid_seconds_ = event.paid_seconds;
  heartbeat_seconds_ = event.heartbeat_seconds == 0 ? policy_.heartbeat_seconds : event.heartbeat_seconds;
  if (!finished_) {
    last_heartbeat_ = now_.monotonic;
    scheduleExtend(std::chrono::milliseconds(0));
  }
  useCandidate(event.occupied);
}

void CallMachine::on(Refused& event) {
  // A refused extension arrives as Extended::refused, never as Refused, so kExtend is never the pending decision.
  if (!takeDecision(event.decision)) {
    return;
  }
  addTrace(event.trace);
  if (event.identified) {
    setIdentified(std::move(*event.identified));
  }
  for (auto& skipped : event.skipped) {
    if (skipped.index < asked_.size()) {
      recordSkipped(asked_[skipped.index], skipped.reason, std::move(skipped.detail));
    }
  }
  if (finished_) {
    publishFinal();
    return;
  }
  if (event.decision == Decision::kOccupy) {
    asked_.clear();
    allFailed();  // REQUIREMENTS 5.4: a carrier's code, when there is one, says more than "all others are busy"
    return;
  }
  // A refusal whose reason has no SIP code counts as no decision.
  const bool known = policy_.reject_map.answer(event.reason).sip_code >= 400 && event.reason != base::Reason::kUnspecified;
  if (event.trace.empty() && !event.detail.empty()) {
    addTrace("ingress", "refused", std::move(event.detail), false);
  }
  reject(known ? event.reason : base::Reason::kDecisionUnavailable, EndedBy::kTollgate);
}

void CallMachine::on(DecisionFailed& event) {
  if (event.decision == Decision::kExtend) {
    extendFailed();
    return;
  }
  if (!takeDecision(event.decision)) {
    return;
  }
  addTrace(stageOf(event.decision), "answer", std::move(event.detail), false);
  if (event.decision == Decision::kReserve || event.decision == Decision::kOccupy) {
    recordAsked();
  }
  if (finished_) {
    publishFinal();
    return;
  }
  reject(base::Reason::kDecisionUnavailable, EndedBy::kTollgate);
}

// Billing may have taken a slot although its answer is not known. The final record names all it may be, so that billing gives it back.
void CallMachine::recordAsked() {
  for (const std::size_t index : asked_) {
    record_.asked_trunks.push_back(candidates_[index].trunk);
  }
}

void CallMachine::setIdentified(Identified&& identified) {
  identified_ = std::move(identified);
  record_.customer = identified_.customer;
  record_.trunk = identified_.trunk;
  record_.source_row = identified_.source_row;
  record_.called_rated = identified_.called;
  record_.caller = identified_.caller;
}

// True when this is the decision asked for. After the call's end only reserve and occupy are still pending (see finish).
bool CallMachine::takeDecision(Decision decision) {
  if (pending_ != decision) {
    ignore();
    return false;
  }
  pending_.reset();
  return true;
}

void CallMachine::ask(Decision decision, const Action& action, Phase phase) {
  pending_ = decision;
  phase_ = phase;
  push(action);
}

void CallMachine::addTrace(std::vector<base::TraceStep>& steps) {
  if (record_.trace.empty()) {
    record_.trace = std::move(steps);
    return;
  }
  record_.trace.insert(record_.trace.end(), std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end()));
}

void CallMachine::addTrace(std::string_view stage, std::string_view check, std::string found, bool passed) {
  record_.trace.push_back({std::string(stage), std::string(check), std::move(found), passed});
}

void CallMachine::publish(Published event, std::size_t attempt) {
  push(Publish{event, ++sequence_, attempt});
}

void CallMachine::arm(TimerKind timer, std::chrono::milliseconds after) {
  armed_[static_cast<std::size_t>(timer)] = true;
  push(ArmTimer{timer, after});
}

void CallMachine::disarm(TimerKind timer) {
  auto& armed = armed_[static_cast<std::size_t>(timer)];
  if (armed) {
    armed = false;
    push(DisarmTimer{timer});
  }
}

}  // namespace tollgate::call
