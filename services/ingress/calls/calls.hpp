// All calls of this instance: SIP events, timers and decisions go in, the machines' actions are carried out. Policy is the machine's,
// protocol libs/sofia's, records and events EventPublisher's; this class only joins them. Loop thread only.
//   calls.cpp          feeding the machines, timers, decisions, drain
//   calls_sip.cpp      what the SIP stack tells us
//   calls_actions.cpp  what a machine wants done
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
    std::size_t max_calls = 20'000;
    int retry_after_seconds = 3;
  };
  // What the calls work with. All outlive the Calls.
  struct Parts {
    sofia::Loop& loop;
    Guard& guard;
    EventPublisher& publisher;
    IngressMetrics& metrics;
    base::Random& random;
  };

  Calls(Options options, Parts parts);
  ~Calls() override;

  // Both before the first event; the agent and the decisions are made with this object and so come later.
  void connect(sofia::Agent& agent, Decisions& decisions);
  // Ends without a word to anybody what is left, before the agent goes.
  void clear() { table_.clear(); }

  void startDraining();
  [[nodiscard]] bool isDraining() const { return draining_; }
  // BYE, CANCEL or refusal to all: the drain time is over.
  void shutDown();
  // True when the call is here and not over.
  [[nodiscard]] bool hangUp(std::string_view call_id, std::string user);

  void onDecision(CallRef ref, call::Event event);
  void onTimer(sofia::Key key);

  [[nodiscard]] const CallTable<Call>& table() const { return table_; }

  // sofia::SipEvents
  sofia::Admission admit(const sofia::Source& source, sofia::Method method) override;
  void onInvite(sofia::RequestIn invite, sofia::ServerTransaction transaction) override;
  void onOutsideRequest(sofia::RequestIn request, sofia::ServerTransaction transaction) override;
  void onRequest(sofia::Key leg, sofia::RequestIn request, sofia::ServerTransaction transaction) override;
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
  [[nodiscard]] call::Moment moment() const;
  void checkOffer(Call& call, call::Authorized& event);
  void checkCandidates(Call& call, call::Routed& event);

  // calls_sip.cpp
  void refuseUndecided(sofia::ServerTransaction transaction);
  void onAnswer(CallRef ref, Call& call, call::LegId leg, sofia::ResponseIn response);
  void dropAnswered(Call& call, call::LegId leg);
  void ackArrived(CallRef ref, Call& call);

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
  bool busy_ = false;  // a machine is being fed: further events wait
  std::deque<Pending> pending_;
  call::Actions actions_;
  const sofia::Body* body_ = nullptr;  // of the message being handled, ready to be relayed
};

}  // namespace tollgate::ingress
