// Events of the SIP stack, turned into events of the call they belong to.
#include <utility>

#include "libs/telemetry/log.hpp"
#include "services/ingress/calls/calls.hpp"
#include "services/ingress/calls/media.hpp"
#include "services/ingress/intake/intake.hpp"

namespace tollgate::ingress {

sofia::Admission Calls::admit(const sofia::Source& source) {
  switch (parts_.guard.check(source, parts_.loop.now(), parts_.loop.clock())) {
    case Verdict::kKnown:
    case Verdict::kNoNetworksYet:  // onInvite() refuses it with decision_unavailable
      return sofia::Admission::kAccept;
    case Verdict::kRefuse:
      parts_.metrics.unknown_sources.add();
      return sofia::Admission::kRefuse;
    case Verdict::kDrop:
      parts_.metrics.unknown_sources.add();
      break;
  }
  return sofia::Admission::kDrop;
}

void Calls::onInvite(sofia::InviteIn invite, sofia::ServerTransaction transaction) {
  if (!parts_.guard.hasNetworks()) {
    // The sender may be an unknown source, and unknown sources could cause any number of records.
    refuseWithoutRecord(base::Reason::kDecisionUnavailable, std::move(transaction));
    return;
  }
  if (is_overloaded_) {
    parts_.guard.countOverloaded(invite.source, parts_.loop.clock());
    refuseWithoutRecord(base::Reason::kOverloaded, std::move(transaction));
    return;
  }
  (void)transaction.reply({.status = 100});  // REQUIREMENTS 6.3: immediately
  const auto now = moment();
  const auto wall_milliseconds = std::chrono::floor<std::chrono::milliseconds>(now.wall.time_since_epoch()).count();
  auto invited = checkInvite(invite, {draining_, table_.size() >= options_.max_calls});
  auto [ref, call] = table_.add(base::CallId::make(wall_milliseconds, parts_.random), options_.policy);
  if (!invite.require.empty() && invited.refuse == base::Reason::kUnspecified) {
    for (const auto& tag : invite.require) {
      call.unsupported += (call.unsupported.empty() ? "" : ", ") + tag;
    }
    invited.refuse = base::Reason::kMalformed;
    invited.refuse_detail = "the caller requires an extension that is not supported";
  }
  call.invite = std::move(transaction);
  call.invite.setKey(PackedKey::pack(ref, kCallerRole));
  call.offer = std::move(invite.body);
  call.listener = invite.source.listener;
  call.max_forwards = nextMaxForwards(invite.max_forwards);
  call.invited_at = now.monotonic;
  call.origin_to_caller = {parts_.random.next() >> 1U, agent_->listeners()[call.listener].advertised};
  call.origin_to_carrier = {parts_.random.next() >> 1U, agent_->listeners()[call.listener].advertised};
  feed(ref, std::move(invited));
}

void Calls::refuseWithoutRecord(base::Reason reason, sofia::ServerTransaction transaction) {
  parts_.metrics.refused_without_record.add();
  const auto answer = options_.policy.reject_map.answer(reason);
  (void)transaction.reply(refusal(answer.sip_code, answer.q850_cause, reason, options_.retry_after_seconds));
}

void Calls::onOutsideRequest(sofia::Method method, bool names_dialog, sofia::ServerTransaction transaction) {
  const bool serving = !draining_ && parts_.guard.hasNetworks();
  (void)transaction.reply(outsideReply(method, names_dialog, serving, options_.retry_after_seconds));
}

void Calls::onRequest(sofia::Key key, sofia::Method method, sofia::ServerTransaction transaction) {
  const auto ref = PackedKey::call(key);
  if (table_.find(ref) == nullptr) {
    parts_.metrics.stale_events.add();
    (void)transaction.reply({.status = 481});
    return;
  }
  if (method != sofia::Method::kBye) {
    (void)transaction.reply(inDialogReply(method));
    return;
  }
  (void)transaction.reply({.status = 200});
  const auto role = PackedKey::role(key);
  feed(ref, call::PartyBye{role == kCallerRole ? call::Side::kCaller : call::Side::kCarrier, role});
}

void Calls::onCancel(sofia::Key transaction) {
  feed(PackedKey::call(transaction), call::CallerCancelled{});
}

void Calls::onAck(sofia::Key transaction, sofia::Body body) {
  const auto ref = PackedKey::call(transaction);
  auto* call = table_.find(ref);
  if (call == nullptr) {
    parts_.metrics.stale_events.add();
    return;
  }
  if (!call->machine.hasOffer()) {
    if (auto answer = prepareAnswer(body, call->origin_to_carrier)) {
      call->ack_body = std::move(*answer);
    }
  }
  call->invite.reset();
  afterAck(ref, *call);
}

void Calls::onNoAck(sofia::Key transaction) {
  const auto ref = PackedKey::call(transaction);
  auto* call = table_.find(ref);
  if (call == nullptr) {
    parts_.metrics.stale_events.add();
    return;
  }
  call->invite.reset();
  call->ack_expected = false;
  if (call->bye_waits_for_ack) {
    afterAck(ref, *call);
  } else {
    feed(ref, call::CallerNoAck{});
  }
}

// The caller has acknowledged, or the time for it is over. A BYE that waited for the ACK can be sent (RFC 3261 15).
void Calls::afterAck(CallRef ref, Call& call) {
  call.ack_expected = false;
  if (!call.bye_waits_for_ack) {
    feed(ref, call::CallerAcked{});
    return;
  }
  call.bye_waits_for_ack = false;
  byeCaller(call);
  if (call.machine.isOver()) {
    table_.remove(ref);
  }
}

void Calls::onResponse(sofia::Key transaction, sofia::ResponseIn response) {
  const auto ref = PackedKey::call(transaction);
  const auto leg = static_cast<call::LegId>(PackedKey::role(transaction));
  auto* call = table_.find(ref);
  if (call == nullptr || leg == 0 || leg > call->legs.size()) {
    parts_.metrics.stale_events.add();
    return;
  }
  if (response.status >= 300) {
    const auto failure = response.origin == sofia::Origin::kNetwork   ? call::LegFailure::kResponse
                         : response.origin == sofia::Origin::kTimeout ? call::LegFailure::kTimeout
                                                                      : call::LegFailure::kTransportError;
    call->legs[leg - 1] = {};
    feed(ref, call::LegFailed{leg, failure, response.status});
  } else if (response.status >= 200) {
    onAnswer(ref, *call, leg, response);
  } else {
    auto body = prepareAnswer(response.body, call->origin_to_caller);
    const bool has_sdp = body && !body->text.empty();
    feed(ref, call::LegProvisional{leg, response.status, has_sdp}, body ? std::move(*body) : sofia::Body{});
  }
}

void Calls::onAnswer(CallRef ref, Call& call, call::LegId leg, const sofia::ResponseIn& response) {
  base::Result<sofia::Body> body = sofia::Body{};
  if (call.machine.hasOffer()) {
    body = prepareAnswer(response.body, call.origin_to_caller);
  } else {
    // The carrier's 200 carries the offer, so it is filtered as a caller's would be (REQUIREMENTS 6.4).
    auto offer = prepareOffer(response.body, call.machine.identified().codecs, call.origin_to_caller);
    if (offer.refused != base::Reason::kUnspecified) {
      body = base::fail(base::ErrorCode::kInvalid, "the carrier's offer cannot be used");
    } else if (!offer.text.empty()) {
      body = sofia::Body{std::string(sofia::kSdpType), std::move(offer.text)};
    }
  }
  if (!body) {
    endUnusableAnswer(call, leg);
    feed(ref, call::LegFailed{leg, call::LegFailure::kTransportError, 0});
    return;
  }
  feed(ref, call::LegAnswered{leg}, std::move(*body));
}

// The answer cannot be passed on. The carrier's dialog exists since its 200, so it is ended with ACK and BYE. For the caller the hunt
// continues.
void Calls::endUnusableAnswer(Call& call, call::LegId leg) {
  telemetry::warn("the carrier answered with SDP that cannot be used", {{"call_id", call.machine.id().text()}});
  auto& carrier = call.legs[leg - 1];
  (void)agent_->ack(carrier.leg, std::move(carrier.invite));
  (void)agent_->bye(carrier.leg);
  carrier = {};
}

}  // namespace tollgate::ingress
