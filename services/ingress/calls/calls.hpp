// All calls of this instance. It gives SIP events, timers and decisions to the calls' machines and carries out their actions. The machine
// decides, libs/sofia speaks SIP, and EventPublisher publishes events and records; this class only joins them. Owns the calls. Loop thread
// only.
//   calls.cpp          feeding the machines, timers, decisions, drain
//   calls_sip.cpp      events of the SIP stack
//   calls_actions.cpp  the actions of a machine
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/random.hpp"
#include "libs/sofia/agent.hpp"
#include "services/ingress/calls/call.hpp"
#include "services/ingress/calls/call_table.hpp"
#include "services/ingress/calls/decisions.hpp"
#include "services/ingress/intake/guard.hpp"
#include "services/ingress/metrics.hpp"
#include "services/ingress/records/event_publisher.hpp"

namespace tollgate::ingress {

class Calls final : public sofia::SipEvents {
 public:
  struct Options {
    call::Policy policy;
    std::size_t max_calls = 0;
    int retry_after_seconds = 0;
  };
  // What the calls work with. Requires: all outlive the Calls.
  struct Parts {
    sofia::Loop& loop;
    Guard& guard;
    EventPublisher& publisher;
    IngressMetrics& metrics;
    base::Random& random;
  };

  Calls(Options options, Parts parts);
  ~Calls() override;

  // Requires: called before the first event; both outlive the calls. It is no part of the constructor because both are made from this
  // object.
  void connect(sofia::Agent& agent, Decisions& decisions);
  // Destroys the calls that are left, without BYE or record. Requires: called before the agent is destroyed, whose handles the calls hold.
  void clear() { table_.clear(); }

  void startDraining();
  // While set, new calls are refused with overloaded and leave no record; they are counted.
  void setOverloaded(bool is_overloaded) { is_overloaded_ = is_overloaded; }
  [[nodiscard]] bool isDraining() const { return draining_; }
  // Ends all calls with BYE, CANCEL or a refusal, because the drain time is over (REQUIREMENTS 6.9). The second time, `is_last`: no answer
  // of billing is awaited any more.
  void shutDown(bool is_last);
  // Every call that is left has published its final record.
  [[nodiscard]] bool areAllRecorded() const;
  // Ends a call for an operator (REQUIREMENTS 6.8). True when the call is on this instance and has not ended.
  [[nodiscard]] bool hangUp(std::string_view call_id, std::string user);

  void onDecision(CallRef ref, call::Event event);
  void onTimer(sofia::Key key);

  [[nodiscard]] const CallTable<Call>& table() const { return table_; }

  // sofia::SipEvents
  sofia::Admission admit(const sofia::Source& source) override;
  void onInvite(sofia::InviteIn invite, sofia::ServerTransaction transaction) override;
  void onOutsideRequest(sofia::Method method, bool names_dialog, sofia::ServerTransaction transaction) override;
  void onRequest(sofia::Key leg, sofia::Method method, sofia::ServerTransaction transaction) override;
  void onCancel(sofia::Key transaction) override;
  void onAck(sofia::Key transaction, sofia::Body body) override;
  void onNoAck(sofia::Key transaction) override;
  void onResponse(sofia::Key transaction, sofia::ResponseIn response) override;

 private:
  struct Pending {
    CallRef ref;
    call::Event event;
    sofia::Body body;
  };

  // calls.cpp
  void feed(CallRef ref, call::Event event, sofia::Body body = {});
  void step(CallRef ref, call::Event event, const sofia::Body& body);
  [[nodiscard]] bool handle(CallRef ref, Call& call, call::Event event, const sofia::Body& body);
  [[nodiscard]] call::Moment moment() const;
  void checkOffer(Call& call, call::Authorized& event);
  void checkCandidates(Call& call, call::Routed& event);

  // calls_sip.cpp
  void refuseWithoutRecord(base::Reason reason, sofia::ServerTransaction transaction);
  void onAnswer(CallRef ref, Call& call, call::LegId leg, const sofia::ResponseIn& response);
  void endUnusableAnswer(Call& call, call::LegId leg);
  void afterAck(CallRef ref, Call& call);

  // calls_actions.cpp
  void perform(CallRef ref, Call& call, const call::AskAuthorize& action);
  void perform(CallRef ref, Call& call, const call::AskRoute& action);
  void perform(CallRef ref, Call& call, const call::AskReserve& action);
  void perform(CallRef ref, Call& call, const call::AskOccupy& action);
  void perform(CallRef ref, Call& call, const call::AskExtend& action);
  void perform(CallRef ref, Call& call, const call::StartLeg& action);
  void perform(CallRef ref, Call& call, const call::AckLeg& action);
  void perform(CallRef ref, Call& call, const call::CancelLeg& action);
  void perform(CallRef ref, Call& call, const call::ByeLeg& action);
  void perform(CallRef ref, Call& call, const call::DropLeg& action);
  void perform(CallRef ref, Call& call, const call::RelayProvisional& action);
  void perform(CallRef ref, Call& call, const call::AnswerCaller& action);
  void perform(CallRef ref, Call& call, const call::RejectCaller& action);
  void perform(CallRef ref, Call& call, const call::ByeCaller& action);
  void perform(CallRef ref, Call& call, const call::ArmTimer& action);
  void perform(CallRef ref, Call& call, const call::DisarmTimer& action);
  void perform(CallRef ref, Call& call, const call::Publish& action);
  [[nodiscard]] bool ensureDialog(CallRef ref, Call& call);
  [[nodiscard]] sofia::InviteOut inviteFor(const Call& call, const call::StartLeg& action) const;
  [[nodiscard]] std::size_t listenerFor(const std::string& address, std::size_t preferred) const;
  [[nodiscard]] sofia::Headers byeHeaders(const Call& call) const;
  void byeCaller(Call& call);

  static constexpr std::uint8_t kCallerRole = 0;  // legs: their LegId, at most limits::kAttemptsMax
  static constexpr std::uint8_t kTimerRole = 128;

  // Passed in.
  const Options options_;
  Parts parts_;
  sofia::Agent* agent_ = nullptr;
  Decisions* decisions_ = nullptr;
  // Owned.
  CallTable<Call> table_;
  // Derived.
  bool draining_ = false;
  bool is_overloaded_ = false;
  bool busy_ = false;  // a machine is handling an event: further events wait
  std::deque<Pending> pending_;
  call::Actions actions_;
  const sofia::Body* body_ = nullptr;  // of the message being handled, ready to be relayed
};

}  // namespace tollgate::ingress
