// The call machine: events in, actions out, no I/O and no clock (ARCHITECTURE "The call"). Owns the call's record, candidates and the state
// of its legs. One thread owns a machine; table tests, random tests and the SIP adapter drive the same code. It promises, whatever arrives
// in whatever order (REQUIREMENTS 9.6, 10.1):
//   - exactly one final record (ended or rejected) and at most one final answer to the caller;
//   - every leg started is answered and ended with BYE, fails, or is cancelled and at the latest dropped by the linger timer;
//   - an event that makes no sense in the phase changes nothing and is counted.
// PRACK, UPDATE, re-INVITE and session timers are further events of Side and leg in kRinging and kTalking; they need no new phase.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "libs/base/ids.hpp"
#include "libs/call/actions.hpp"
#include "libs/call/events.hpp"
#include "libs/call/types.hpp"

namespace tollgate::call {

class CallMachine {
 public:
  // Requires: the policy outlives the machine.
  CallMachine(base::CallId id, const Policy& policy);

  // Appends what is to be done to `out`. Requires: `at` never goes backwards within a call.
  void handle(Event event, const Moment& at, Actions& out);

  [[nodiscard]] const base::CallId& id() const { return id_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool isOver() const { return phase_ == Phase::kOver; }
  // Its final record was published.
  [[nodiscard]] bool isRecorded() const { return final_published_; }
  [[nodiscard]] bool hasOffer() const { return has_offer_; }
  [[nodiscard]] bool hasEarlyMedia() const { return early_media_; }
  [[nodiscard]] const CallRecord& record() const { return record_; }
  [[nodiscard]] const Identified& identified() const { return identified_; }
  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }
  // What the pending AskReserve or AskOccupy is about: indexes of candidates, the first askedByLoad() of them by load.
  [[nodiscard]] std::span<const std::size_t> askedCandidates() const { return asked_; }
  [[nodiscard]] std::uint32_t askedByLoad() const { return asked_by_load_; }
  // The number of events that made no sense in their phase.
  [[nodiscard]] std::uint32_t ignoredEvents() const { return ignored_; }

 private:
  enum class LegState : std::uint8_t { kTrying, kProceeding, kAnswered, kCancelling, kEnded };
  struct Leg {
    LegState state = LegState::kTrying;
    std::size_t attempt = 0;  // index into record_.attempts
    bool acked = false;
    base::MonotonicTime started;
    base::MonotonicTime cancelled;
  };

  // machine.cpp: identifying, routing, reserving
  void on(Invited& event);
  void on(Authorized& event);
  void on(Routed& event);
  void on(Reserved& event);
  void on(Refused& event);
  void on(DecisionFailed& event);
  [[nodiscard]] bool takeDecision(Decision decision);
  void setIdentified(Identified&& identified);
  void addTrace(std::vector<base::TraceStep>& steps);
  void addTrace(std::string_view stage, std::string_view check, std::string found, bool passed);
  void ask(Decision decision, const Action& action, Phase phase);
  void chooseUsable(std::uint32_t by_load);
  void recordAsked();

  // hunt.cpp: hunting, ringing, the carrier's legs
  void on(Occupied& event);
  void on(LegStarted& event);
  void on(LegProvisional& event);
  void on(LegAnswered& event);
  void on(LegFailed& event);
  void useCandidate(Occupied& occupied);
  void startLeg();
  void tryNext();
  void failed(LegId leg, const LegFailed& event);
  void noResponse();
  void setupTimedOut(std::string_view detail, AttemptEnd end);
  void allFailed();
  void recordSkipped(std::size_t candidate, base::Reason reason, std::string detail);
  void closeAttempt(Leg& leg, AttemptEnd end, int code, std::string detail);
  void cancelLeg(LegId leg, AttemptEnd end, std::string detail);
  void dropLingering();
  [[nodiscard]] Leg* findLeg(LegId leg);
  [[nodiscard]] const Candidate& candidate() const { return candidates_[candidate_]; }
  [[nodiscard]] bool stopsHunt(int code) const;

  // talk.cpp: talking and the paid time
  void on(CallerAcked& event);
  void on(CallerNoAck& event);
  void on(PartyBye& event);
  void on(Extended& event);
  void answer(LegId leg);
  void extendFailed();
  void armPaidEnd();
  void paidEnd();
  void scheduleExtend(std::chrono::milliseconds not_before);
  void extendNow();
  [[nodiscard]] base::MonotonicTime paidUntil() const;
  [[nodiscard]] std::uint32_t talkedSeconds() const;
  [[nodiscard]] std::uint32_t quantum() const;
  [[nodiscard]] std::chrono::milliseconds extendMargin() const;

  // end.cpp: every way a call ends
  void on(CallerCancelled& event);
  void on(OperatorHangup& event);
  void on(Shutdown& event);
  void on(TimerFired& event);
  void reject(base::Reason reason, EndedBy by);
  void rejectWith(int code, int cause, base::Reason reason, EndedBy by);
  void hangUp(base::Reason reason, EndedBy by, bool bye_caller);
  void finish(base::Reason reason, EndedBy by);
  void releaseLegs();
  void publishFinal();
  void settlePhase();

  void push(const Action& action) { out_->push_back(action); }
  void publish(Published event, std::size_t attempt = 0);
  void arm(TimerKind timer, std::chrono::milliseconds after);
  void disarm(TimerKind timer);
  [[nodiscard]] bool isArmed(TimerKind timer) const { return armed_[static_cast<std::size_t>(timer)]; }
  [[nodiscard]] bool isSettingUp() const { return phase_ >= Phase::kIdentifying && phase_ <= Phase::kRinging; }
  void ignore() { ++ignored_; }

  // Passed in.
  const base::CallId id_;
  const Policy& policy_;
  // Owned.
  CallRecord record_;
  Identified identified_;
  std::vector<Candidate> candidates_;
  std::vector<std::size_t> asked_;  // candidates not tried yet, as billing was or will be asked
  std::vector<Leg> legs_;           // LegId - 1 is the index
  std::array<bool, base::enumSize(kLastTimerKind)> armed_{};
  // Derived.
  Phase phase_ = Phase::kNew;
  std::optional<Decision> pending_;  // the one asked for; extensions have extend_in_flight_
  LegId current_ = 0;
  std::size_t candidate_ = 0;
  std::size_t endpoint_ = 0;
  std::uint32_t asked_by_load_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint32_t ignored_ = 0;
  std::uint32_t heartbeat_seconds_ = 0;
  std::uint32_t first_paid_seconds_ = 0;
  std::uint32_t extend_sequence_ = 0;
  int last_code_ = 0;  // last final code a carrier sent
  bool saw_timeout_ = false;
  bool has_offer_ = true;
  bool early_media_ = false;
  bool answered_ = false;
  bool caller_done_ = false;  // the caller has its final answer
  bool finished_ = false;     // the record is closed
  bool final_published_ = false;
  bool was_refused_ = false;  // by the last answer to an extension
  bool extend_in_flight_ = false;
  base::MonotonicTime invited_at_;
  base::MonotonicTime answered_at_;
  base::MonotonicTime last_heartbeat_;
  // Of the event being handled.
  Moment now_;
  Actions* out_ = nullptr;
};

}  // namespace tollgate::call
