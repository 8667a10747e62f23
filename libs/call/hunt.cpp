// Hunting and ringing: endpoints within a trunk, then the next candidate with a free slot (REQUIREMENTS 5).
#include <algorithm>
#include <utility>

#include "libs/base/limits.hpp"
#include "libs/call/machine.hpp"

namespace tollgate::call {
namespace {

std::string addressText(const Endpoint& endpoint) {
  const bool v6 = endpoint.address.find(':') != std::string::npos;
  std::string text;
  text.reserve(endpoint.address.size() + 8);
  if (v6) {
    text += '[';
  }
  text += endpoint.address;
  if (v6) {
    text += ']';
  }
  text += ':';
  text += std::to_string(endpoint.port);
  return text;
}

std::chrono::milliseconds orDefault(std::chrono::milliseconds own, std::chrono::milliseconds fallback) {
  return own.count() > 0 ? own : fallback;
}

}  // namespace

void CallMachine::on(Occupied& event) {
  if (takeDecision(Decision::kOccupy)) {
    useCandidate(event);
  }
}

// Reserve or occupy took a slot: the candidates that billing skipped are recorded, those it did not try stay for later.
void CallMachine::useCandidate(Occupied& occupied) {
  if (occupied.index >= asked_.size()) {
    addTrace("billing", "candidate", "the answer names a candidate that was not asked for", false);
    recordAsked();
    if (finished_) {
      publishFinal();
    } else {
      reject(base::Reason::kDecisionUnavailable, EndedBy::kTollgate);
    }
    return;
  }
  candidate_ = asked_[occupied.index];
  record_.vendor_rate = std::move(occupied.vendor_rate);
  record_.carrier_trunk = candidate().trunk;
  record_.carrier_customer = candidate().vendor;
  std::vector<std::size_t> rest;
  std::uint32_t rest_by_load = 0;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const auto skipped = std::find_if(occupied.skipped.begin(), occupied.skipped.end(), [&](const Skipped& s) { return s.index == i; });
    if (skipped != occupied.skipped.end()) {
      recordSkipped(asked_[i], skipped->reason, std::move(skipped->detail));
    } else if (i != occupied.index) {
      rest.push_back(asked_[i]);
      rest_by_load += i < asked_by_load_ ? 1 : 0;
    }
  }
  asked_ = std::move(rest);
  asked_by_load_ = rest_by_load;
  if (finished_) {
    publishFinal();  // the slot just taken is given back by the final record, which names the carrier trunk
    return;
  }
  endpoint_ = 0;
  startLeg();
}

void CallMachine::startLeg() {
  if (record_.attempts.size() >= base::limits::kAttemptsMax) {
    asked_.clear();
    allFailed();
    return;
  }
  const auto& target = candidate();
  const auto& endpoint = target.endpoints[endpoint_];
  Attempt attempt;
  attempt.number = static_cast<std::uint32_t>(record_.attempts.size() + 1);
  attempt.trunk = target.trunk;
  attempt.endpoint = endpoint.id;
  attempt.address = addressText(endpoint);
  attempt.started_at = now_.wall;
  record_.endpoint = endpoint.id;
  record_.endpoint_address = attempt.address;
  record_.called_out = target.called_prefix + identified_.called;
  record_.caller_out = target.unified_caller.empty() ? identified_.caller : target.unified_caller;
  record_.egress_sip_call_id.clear();
  record_.attempts.push_back(std::move(attempt));
  Leg leg;
  leg.attempt = record_.attempts.size() - 1;
  leg.started = now_.monotonic;
  legs_.push_back(leg);
  current_ = static_cast<LegId>(legs_.size());
  phase_ = Phase::kHunting;
  push(StartLeg{current_, candidate_, endpoint_});
  arm(TimerKind::kTry, orDefault(target.try_timeout, policy_.try_timeout));
}

// The current leg has failed: its trunk's next endpoint, else the next candidate with a free slot, else the end (REQUIREMENTS 5.1).
void CallMachine::tryNext() {
  disarm(TimerKind::kTry);
  disarm(TimerKind::kRinging);
  current_ = 0;
  phase_ = Phase::kHunting;
  if (endpoint_ + 1 < candidate().endpoints.size()) {
    ++endpoint_;
    startLeg();
    return;
  }
  if (asked_.empty()) {
    allFailed();
    return;
  }
  ask(Decision::kOccupy, AskOccupy{candidate().trunk}, Phase::kHunting);
}

void CallMachine::on(LegStarted& event) {
  if (event.leg != current_ || current_ == 0 || finished_) {
    ignore();
    return;
  }
  record_.egress_sip_call_id = std::move(event.sip_call_id);
}

void CallMachine::on(LegProvisional& event) {
  auto* leg = findLeg(event.leg);
  if (leg == nullptr || event.leg != current_ || finished_ || (leg->state != LegState::kTrying && leg->state != LegState::kProceeding)) {
    ignore();
    return;
  }
  if (leg->state == LegState::kTrying) {
    leg->state = LegState::kProceeding;
    disarm(TimerKind::kTry);
    arm(TimerKind::kRinging, orDefault(candidate().ringing_timeout, policy_.ringing_timeout));
  }
  if (event.code < 180 || event.code > 189) {
    return;  // 100 is per hop (RFC 3261 16.7); the caller has received ours
  }
  early_media_ = early_media_ || event.has_sdp;
  if (phase_ == Phase::kHunting) {
    phase_ = Phase::kRinging;
    if (record_.ringing_at == base::WallTime{}) {
      record_.ringing_at = now_.wall;
      record_.pdd = now_.monotonic - invited_at_;
    }
    publish(Published::kRinging);
  }
  push(RelayProvisional{event.leg, event.code, event.has_sdp});
}

void CallMachine::on(LegAnswered& event) {
  auto* leg = findLeg(event.leg);
  if (leg == nullptr || leg->state == LegState::kEnded || leg->state == LegState::kAnswered) {
    ignore();
    return;
  }
  if (leg->state == LegState::kCancelling || finished_) {
    // The 200 crossed our CANCEL (REQUIREMENTS 6.3): the carrier gets ACK and BYE immediately, and nobody pays.
    leg->state = LegState::kEnded;
    push(AckLeg{event.leg});
    push(ByeLeg{event.leg});
    if (!final_published_) {
      record_.attempts[leg->attempt].final_code = 200;
      record_.attempts[leg->attempt].detail += " (the carrier answered after the CANCEL)";
    }
    return;
  }
  answer(event.leg);
}

void CallMachine::on(LegFailed& event) {
  auto* leg = findLeg(event.leg);
  if (leg == nullptr || leg->state == LegState::kEnded || leg->state == LegState::kAnswered) {
    ignore();
    return;
  }
  if (leg->state == LegState::kCancelling) {
    leg->state = LegState::kEnded;
    auto& attempt = record_.attempts[leg->attempt];
    if (!final_published_ && event.failure == LegFailure::kResponse && attempt.final_code == 0) {
      attempt.final_code = event.code;
    }
    return;
  }
  failed(event.leg, event);
}

void CallMachine::failed(LegId id, const LegFailed& event) {
  auto& leg = *findLeg(id);
  leg.state = LegState::kEnded;
  switch (event.failure) {
    case LegFailure::kTimeout:
      saw_timeout_ = true;
      closeAttempt(leg, AttemptEnd::kNoResponse, 0, "");
      break;
    case LegFailure::kTransportError:
      closeAttempt(leg, AttemptEnd::kTransportError, 0, "");
      break;
    case LegFailure::kResponse:
      last_code_ = event.code;
      closeAttempt(leg, AttemptEnd::kRejected, event.code, "");
      if (stopsHunt(event.code)) {
        asked_.clear();
        allFailed();
        return;
      }
      break;
  }
  if (early_media_ && policy_.stop_after_early_media) {
    asked_.clear();
    allFailed();
    return;
  }
  tryNext();
}

// The try timeout has passed without any response (REQUIREMENTS 5.2). The CANCEL waits until a response comes (RFC 3261 9.1); a late 200
// is acknowledged and ended with BYE.
void CallMachine::noResponse() {
  saw_timeout_ = true;
  cancelLeg(current_, AttemptEnd::kNoResponse, "");
  tryNext();
}

// The ringing or the setup timeout ends the hunt (REQUIREMENTS 5.3).
void CallMachine::setupTimedOut(std::string_view detail, AttemptEnd end) {
  if (current_ != 0) {
    cancelLeg(current_, end, std::string(detail));
  }
  addTrace("ingress", "timeout", std::string(detail), false);
  reject(base::Reason::kSetupTimeout, EndedBy::kTollgate);
}

// REQUIREMENTS 5.4: the last carrier's code, when it is one that the caller may see. 401 and 407 ask us for a password, not the caller.
void CallMachine::allFailed() {
  const int code = last_code_;
  if (code >= 400 && code <= 699 && code != 401 && code != 407) {
    rejectWith(code, base::q850FromSip(code), base::Reason::kCarrierRejected, EndedBy::kCarrier);
    return;
  }
  const bool timeout = code == 0 && saw_timeout_;
  reject(timeout ? base::Reason::kTargetTimeout : base::Reason::kNoTargetAvailable, EndedBy::kTollgate);
}

void CallMachine::recordSkipped(std::size_t candidate, base::Reason reason, std::string detail) {
  if (record_.attempts.size() >= base::limits::kAttemptsMax) {
    return;
  }
  Attempt attempt;
  attempt.number = static_cast<std::uint32_t>(record_.attempts.size() + 1);
  attempt.trunk = candidates_[candidate].trunk;
  attempt.end = AttemptEnd::kSkipped;
  attempt.skipped = reason;
  attempt.detail = std::move(detail);
  attempt.started_at = now_.wall;
  record_.attempts.push_back(std::move(attempt));
}

void CallMachine::closeAttempt(Leg& leg, AttemptEnd end, int code, std::string detail) {
  auto& attempt = record_.attempts[leg.attempt];
  attempt.end = end;
  attempt.final_code = code;
  attempt.detail = std::move(detail);
  attempt.lasted = now_.monotonic - leg.started;
  publish(Published::kAttempted, leg.attempt);
}

void CallMachine::cancelLeg(LegId id, AttemptEnd end, std::string detail) {
  auto& leg = *findLeg(id);
  leg.state = LegState::kCancelling;
  leg.cancelled = now_.monotonic;
  closeAttempt(leg, end, 0, std::move(detail));
  push(CancelLeg{id});
  if (!isArmed(TimerKind::kLinger)) {
    arm(TimerKind::kLinger, policy_.linger);
  }
}

// A carrier need not answer a CANCEL, so nothing guarantees that a cancelled leg ends. The linger timer, which is longer than SIP's 64*T1,
// drops such legs, so that no call stays in memory.
void CallMachine::dropLingering() {
  std::optional<base::MonotonicTime> oldest;
  for (std::size_t i = 0; i < legs_.size(); ++i) {
    auto& leg = legs_[i];
    if (leg.state != LegState::kCancelling) {
      continue;
    }
    if (leg.cancelled + policy_.linger <= now_.monotonic) {
      leg.state = LegState::kEnded;
      push(DropLeg{static_cast<LegId>(i + 1)});
    } else if (!oldest || leg.cancelled < *oldest) {
      oldest = leg.cancelled;
    }
  }
  if (oldest) {
    arm(TimerKind::kLinger, std::chrono::ceil<std::chrono::milliseconds>(*oldest + policy_.linger - now_.monotonic));
  }
}

CallMachine::Leg* CallMachine::findLeg(LegId leg) {
  return leg == 0 || leg > legs_.size() ? nullptr : &legs_[leg - 1];
}

bool CallMachine::stopsHunt(int code) const {
  return std::find(policy_.stop_codes.begin(), policy_.stop_codes.end(), code) != policy_.stop_codes.end();
}

}  // namespace tollgate::call
