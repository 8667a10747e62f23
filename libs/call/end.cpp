// Every way a call ends, and the one record it leaves.
#include <algorithm>

#include "libs/base/assert.hpp"
#include "libs/call/machine.hpp"

namespace tollgate::call {

void CallMachine::on(CallerCancelled&) {
  if (!isSettingUp()) {
    ignore();
    return;
  }
  reject(base::Reason::kCallerCancelled, EndedBy::kCaller);
}

void CallMachine::on(OperatorHangup& event) {
  if (phase_ == Phase::kTalking) {
    record_.ended_by_user = std::move(event.user);
    hangUp(base::Reason::kHangupByOperator, EndedBy::kOperator, true);
  } else if (isSettingUp()) {
    record_.ended_by_user = std::move(event.user);
    // This reason belongs to a BYE and has no SIP code of its own. 480 does not make the caller's switch try another route.
    rejectWith(480, policy_.reject_map.answer(base::Reason::kHangupByOperator).q850_cause, base::Reason::kHangupByOperator,
               EndedBy::kOperator);
  } else {
    ignore();
  }
}

void CallMachine::on(Shutdown& event) {
  if (phase_ == Phase::kTalking) {
    hangUp(event.reason, EndedBy::kTollgate, true);
  } else if (isSettingUp()) {
    reject(event.reason, EndedBy::kTollgate);
  } else if (!event.is_last || final_published_ || !finished_) {
    ignore();
  }
  if (event.is_last && finished_ && !final_published_) {
    recordAsked();  // billing's answer will not be heard
    pending_.reset();
    publishFinal();
  }
}

void CallMachine::on(TimerFired& event) {
  const auto index = static_cast<std::size_t>(event.timer);
  if (index >= base::enumSize(kLastTimerKind) || !armed_[index]) {
    ignore();
    return;
  }
  armed_[index] = false;
  switch (event.timer) {
    case TimerKind::kSetup:
      setupTimedOut("no answer within the setup timeout", AttemptEnd::kCancelled);
      break;
    case TimerKind::kTry:
      noResponse();
      break;
    case TimerKind::kRinging:
      setupTimedOut("no answer within the ringing timeout", AttemptEnd::kRingingTimeout);
      break;
    case TimerKind::kPaidEnd:
      paidEnd();
      break;
    case TimerKind::kExtend:
      extendNow();
      break;
    case TimerKind::kMaxDuration:
      hangUp(base::Reason::kMaxDuration, EndedBy::kTollgate, true);
      break;
    case TimerKind::kLinger:
      dropLingering();
      break;
  }
}

// Before the answer: a reason of the reject map.
void CallMachine::reject(base::Reason reason, EndedBy by) {
  const auto answer = policy_.reject_map.answer(reason);
  rejectWith(answer.sip_code, answer.q850_cause, reason, by);
}

void CallMachine::rejectWith(int code, int cause, base::Reason reason, EndedBy by) {
  TG_ASSERT(!caller_done_);
  record_.final_code = code;
  record_.q850_cause = cause;
  caller_done_ = true;
  push(RejectCaller{code, cause, reason});
  finish(reason, by);
}

// After the answer.
void CallMachine::hangUp(base::Reason reason, EndedBy by, bool bye_caller) {
  record_.q850_cause = policy_.reject_map.answer(reason).q850_cause;
  if (bye_caller) {
    push(ByeCaller{});
  }
  finish(reason, by);
}

void CallMachine::finish(base::Reason reason, EndedBy by) {
  record_.reason = reason;
  record_.ended_by = by;
  record_.ended_at = now_.wall;
  if (answered_) {
    // REQUIREMENTS 9.2: charge never exceeds the hold, so the time charged never exceeds the paid time, however late a BYE is seen.
    record_.talked = std::min<std::chrono::microseconds>(now_.monotonic - answered_at_, std::chrono::seconds(record_.paid_seconds));
  }
  for (const auto timer :
       {TimerKind::kSetup, TimerKind::kTry, TimerKind::kRinging, TimerKind::kPaidEnd, TimerKind::kExtend, TimerKind::kMaxDuration}) {
    disarm(timer);
  }
  releaseLegs();
  finished_ = true;
  phase_ = Phase::kEnding;
  // Billing may be taking a hold or a slot at this moment. The final record releases it, so the record waits for billing's answer.
  if (pending_ != Decision::kReserve && pending_ != Decision::kOccupy) {
    pending_.reset();
    publishFinal();
  }
}

void CallMachine::releaseLegs() {
  for (std::size_t i = 0; i < legs_.size(); ++i) {
    const auto id = static_cast<LegId>(i + 1);
    switch (legs_[i].state) {
      case LegState::kTrying:
      case LegState::kProceeding:
        cancelLeg(id, AttemptEnd::kCancelled, "");
        break;
      case LegState::kAnswered:
        if (!legs_[i].acked) {
          push(AckLeg{id});
        }
        push(ByeLeg{id});
        legs_[i].state = LegState::kEnded;
        break;
      case LegState::kCancelling:
      case LegState::kEnded:
        break;
    }
  }
}

// REQUIREMENTS 10.1: exactly one, whatever happened before.
void CallMachine::publishFinal() {
  if (final_published_) {
    return;
  }
  final_published_ = true;
  publish(legs_.empty() ? Published::kRejected : Published::kEnded);
}

void CallMachine::settlePhase() {
  if (phase_ != Phase::kEnding || !final_published_) {
    return;
  }
  const bool waiting = std::any_of(legs_.begin(), legs_.end(), [](const Leg& leg) { return leg.state != LegState::kEnded; });
  if (!waiting) {
    disarm(TimerKind::kLinger);
    phase_ = Phase::kOver;
  }
}

}  // namespace tollgate::call
