// Identifying, routing, reserving: the three questions before a carrier is asked anything.
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
  ask(Pending::kAuth, AskAuthorize{}, Phase::kIdentifying);
}

void CallMachine::on(Authorized& event) {
  if (!takeDecision(Pending::kAuth)) {
    return;
  }
  addTrace(event.trace);
  identified_ = std::move(event.identified);
  record_.customer = identified_.customer;
  record_.trunk = identified_.trunk;
  record_.source_row = identified_.source_row;
  record_.called_rated = identified_.called;
  record_.caller = identified_.caller;
  publish(Published::kStarted);
  if (event.offer_refused != base::Reason::kUnspecified) {
    const bool codec = event.offer_refused == base::Reason::kNoCommonCodec;
    addTrace("ingress", "offer", codec ? "no codec of the source row" : "unreadable SDP", false);
    reject(event.offer_refused, EndedBy::kTollgate);
    return;
  }
  ask(Pending::kRoute, AskRoute{}, Phase::kRouting);
}

void CallMachine::on(Routed& event) {
  if (!takeDecision(Pending::kRoute)) {
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
  ask(Pending::kReserve, AskReserve{}, Phase::kReserving);
}

void CallMachine::chooseUsable(std::uint32_t by_load) {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const auto& candidate = candidates_[i];
    if (candidate.unusable != base::Reason::kUnspecified) {
      recordSkipped(i, candidate.unusable, "");
    } else if (candidate.endpoints.empty()) {
      recordSkipped(i, base::Reason::kNoTargetAvailable, "no endpoint");
    } else {
      asked_.push_back(i);
      asked_by_load_ += i < by_load ? 1 : 0;
    }
  }
}

void CallMachine::on(Reserved& event) {
  if (!takeDecision(Pending::kReserve)) {
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
  take(event.occupied);
}

void CallMachine::on(Refused& event) {
  switch (event.stage) {
    case Stage::kAuth:
      refusedIn(Pending::kAuth, event);
      break;
    case Stage::kRouting:
      refusedIn(Pending::kRoute, event);
      break;
    case Stage::kReserve:
      refusedIn(Pending::kReserve, event);
      break;
    case Stage::kOccupy:
      refusedIn(Pending::kOccupy, event);
      break;
    case Stage::kExtend:
      ignore();  // a refused extension is Extended::refused
      break;
  }
}

void CallMachine::refusedIn(Pending expected, Refused& event) {
  if (!takeDecision(expected)) {
    return;
  }
  addTrace(event.trace);
  if (event.identified) {
    identified_ = std::move(*event.identified);
    record_.customer = identified_.customer;
    record_.trunk = identified_.trunk;
    record_.source_row = identified_.source_row;
    record_.called_rated = identified_.called;
    record_.caller = identified_.caller;
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
  if (expected == Pending::kOccupy) {
    asked_.clear();
    allFailed();  // REQUIREMENTS 5.4: a carrier's code, when there is one, says more than "all others are busy"
    return;
  }
  // A refusal without a reason that SIP can carry is no decision.
  const bool known = policy_.reject_map.answer(event.reason).sip_code >= 400 && event.reason != base::Reason::kUnspecified;
  if (event.trace.empty() && !event.detail.empty()) {
    addTrace("ingress", "refused", std::move(event.detail), false);
  }
  reject(known ? event.reason : base::Reason::kDecisionUnavailable, EndedBy::kTollgate);
}

void CallMachine::on(Undecided& event) {
  static constexpr std::array kPending = {Pending::kAuth, Pending::kRoute, Pending::kReserve, Pending::kOccupy};
  static constexpr std::array<std::string_view, 4> kStages = {"auth", "routing", "billing", "billing"};
  if (event.stage == Stage::kExtend) {
    extendUndecided();
    return;
  }
  const auto stage = static_cast<std::size_t>(event.stage);
  if (!takeDecision(kPending[stage])) {
    return;
  }
  addTrace(kStages[stage], "answer", std::move(event.detail), false);
  if (finished_) {
    publishFinal();
    return;
  }
  reject(base::Reason::kDecisionUnavailable, EndedBy::kTollgate);
}

// True when the answer is the one waited for. After the call's end only reserve and occupy are still waited for (see finish).
bool CallMachine::takeDecision(Pending expected) {
  if (pending_ != expected) {
    ignore();
    return false;
  }
  pending_ = Pending::kNothing;
  return true;
}

void CallMachine::ask(Pending pending, const Action& action, Phase phase) {
  pending_ = pending;
  phase_ = phase;
  push(action);
}

void CallMachine::addTrace(std::vector<TraceStep>& steps) {
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
