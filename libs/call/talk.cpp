// Talking: ACK, BYE, and the paid time (REQUIREMENTS 6.6, 9.2).
#include <algorithm>
#include <limits>

#include "libs/base/assert.hpp"
#include "libs/call/machine.hpp"

namespace tollgate::call {
namespace {

// A timer is armed for a day at most and then armed again, so that no sum overflows whatever paid time billing names.
constexpr std::chrono::milliseconds kLongestTimer = std::chrono::hours(24);
constexpr std::chrono::milliseconds kExtendRetry{1000};

std::chrono::milliseconds until(base::MonotonicTime due, base::MonotonicTime now) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - now);
  return std::clamp(left, std::chrono::milliseconds(0), kLongestTimer);
}

}  // namespace

void CallMachine::answer(LegId id) {
  TG_ASSERT(!caller_done_);
  auto& leg = *findLeg(id);
  leg.state = LegState::kAnswered;
  closeAttempt(leg, AttemptEnd::kAnswered, 200, "");
  disarm(TimerKind::kTry);
  disarm(TimerKind::kRinging);
  disarm(TimerKind::kSetup);
  answered_ = true;
  answered_at_ = now_.monotonic;
  record_.answered_at = now_.wall;
  record_.final_code = 200;
  if (record_.ringing_at == base::WallTime{}) {
    record_.pdd = now_.monotonic - invited_at_;
  }
  phase_ = Phase::kTalking;
  caller_done_ = true;
  push(AnswerCaller{id});
  if (has_offer_) {
    leg.acked = true;  // with a delayed offer the carrier's ACK carries the caller's answer, so it waits for the caller's ACK
    push(AckLeg{id});
  }
  publish(Published::kAnswered);
  armPaidEnd();
  scheduleExtend(std::chrono::milliseconds(0));
  if (policy_.max_duration.count() > 0) {
    arm(TimerKind::kMaxDuration, policy_.max_duration);
  }
}

void CallMachine::on(CallerAcked&) {
  auto* leg = findLeg(current_);
  if (phase_ != Phase::kTalking || leg == nullptr || leg->acked) {
    if (phase_ != Phase::kTalking) {
      ignore();
    }
    return;
  }
  leg->acked = true;
  push(AckLeg{current_});
}

void CallMachine::on(CallerNoAck&) {
  if (phase_ != Phase::kTalking) {
    ignore();
    return;
  }
  hangUp(base::Reason::kNoAck, EndedBy::kTollgate, true);
}

void CallMachine::on(PartyBye& event) {
  if (event.side == Side::kCaller) {
    if (phase_ == Phase::kTalking) {
      hangUp(base::Reason::kNormal, EndedBy::kCaller, false);
    } else if (isSettingUp()) {
      reject(base::Reason::kCallerCancelled, EndedBy::kCaller);  // RFC 3261 15: a BYE in the early dialog ends it as a CANCEL does
    } else {
      ignore();
    }
    return;
  }
  auto* leg = findLeg(event.leg);
  if (phase_ != Phase::kTalking || leg == nullptr || event.leg != current_) {
    ignore();
    return;
  }
  leg->state = LegState::kEnded;  // by its own BYE
  hangUp(base::Reason::kNormal, EndedBy::kCarrier, true);
}

void CallMachine::on(Extended& event) {
  if (!extend_in_flight_ || finished_) {
    ignore();
    return;
  }
  extend_in_flight_ = false;
  was_refused_ = event.refused;
  // Billing may ask for a part of a long window back. It keeps that money until a later request names the shorter time, so a lost answer
  // leaves no second that is not held. What has been talked cannot be given back.
  const auto paid_seconds = std::max(event.paid_seconds, std::min(talkedSeconds(), record_.paid_seconds));
  record_.held_micros = event.held_micros;
  if (paid_seconds != record_.paid_seconds) {
    record_.paid_seconds = paid_seconds;
    if (answered_) {
      armPaidEnd();
    }
  }
  scheduleExtend(std::chrono::milliseconds(0));
}

void CallMachine::extendFailed() {
  if (!extend_in_flight_ || finished_) {
    ignore();
    return;
  }
  extend_in_flight_ = false;
  scheduleExtend(kExtendRetry);  // tried again until the paid end; that stays the limit, so no time is free
}

base::MonotonicTime CallMachine::paidUntil() const {
  return answered_at_ + std::chrono::seconds(record_.paid_seconds);
}

std::uint32_t CallMachine::quantum() const {
  return std::clamp<std::uint32_t>(first_paid_seconds_, 1, std::max(1U, policy_.quantum_seconds));
}

// The call asks for more time this long before the paid end. It is enough for one lost request and its retry.
std::chrono::milliseconds CallMachine::extendMargin() const {
  return std::max<std::chrono::milliseconds>(std::chrono::milliseconds(quantum() * 1000ULL / 3), 2 * policy_.rpc_timeout + kExtendRetry);
}

void CallMachine::armPaidEnd() {
  arm(TimerKind::kPaidEnd, until(paidUntil(), now_.monotonic));
}

void CallMachine::paidEnd() {
  if (now_.monotonic < paidUntil()) {
    armPaidEnd();  // the timer was armed for a day only, or more was paid meanwhile
    return;
  }
  hangUp(was_refused_ ? base::Reason::kCreditExhausted : base::Reason::kDecisionUnavailable, EndedBy::kTollgate, true);
}

// Begun seconds count.
std::uint32_t CallMachine::talkedSeconds() const {
  return answered_ ? static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(now_.monotonic - answered_at_).count()) : 0;
}

// One timer for both: the extension before the paid time runs out, and the heartbeat that keeps hold and slots alive (REQUIREMENTS 9.2,
// 9.5).
void CallMachine::scheduleExtend(std::chrono::milliseconds not_before) {
  if (extend_in_flight_ || finished_) {
    return;
  }
  auto due = last_heartbeat_ + std::chrono::seconds(heartbeat_seconds_);
  if (answered_ && !was_refused_) {
    due = std::min<base::MonotonicTime>(due, paidUntil() - extendMargin());
  }
  arm(TimerKind::kExtend, std::max(until(due, now_.monotonic), not_before));
}

void CallMachine::extendNow() {
  AskExtend request;
  if (answered_) {
    const auto talked = std::chrono::floor<std::chrono::seconds>(now_.monotonic - answered_at_).count();
    request.confirmed_seconds = static_cast<std::uint32_t>(std::min<std::int64_t>(talked, record_.paid_seconds));
    // After a refusal it asks again with each heartbeat: the customer may have paid meanwhile.
    if (was_refused_ || now_.monotonic + extendMargin() >= paidUntil()) {
      const auto want = static_cast<std::uint64_t>(record_.paid_seconds) + quantum();
      request.want_paid_seconds = static_cast<std::uint32_t>(std::min<std::uint64_t>(want, std::numeric_limits<std::uint32_t>::max()));
    }
  }
  if (request.want_paid_seconds == 0 && now_.monotonic < last_heartbeat_ + std::chrono::seconds(heartbeat_seconds_)) {
    scheduleExtend(std::chrono::milliseconds(0));  // the timer was armed for a day only
    return;
  }
  request.sequence = ++extend_sequence_;
  request.was_refused = was_refused_;
  last_heartbeat_ = now_.monotonic;
  extend_in_flight_ = true;
  push(request);
}

}  // namespace tollgate::call
