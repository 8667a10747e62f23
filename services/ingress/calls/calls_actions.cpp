// The actions of a machine, carried out on the SIP stack, the timers, the bus and the records.
#include <algorithm>
#include <utility>

#include "libs/telemetry/log.hpp"
#include "services/ingress/calls/calls.hpp"
#include "services/ingress/calls/media.hpp"
#include "services/ingress/intake/intake.hpp"

namespace tollgate::ingress {

void Calls::perform(CallRef ref, Call& call, const call::AskAuthorize&) {
  decisions_->authorize(ref, call.machine);
}
void Calls::perform(CallRef ref, Call& call, const call::AskRoute&) {
  decisions_->route(ref, call.machine);
}
void Calls::perform(CallRef ref, Call& call, const call::AskReserve&) {
  decisions_->reserve(ref, call.machine);
}
void Calls::perform(CallRef ref, Call& call, const call::AskOccupy& action) {
  decisions_->occupy(ref, call.machine, action);
}
void Calls::perform(CallRef ref, Call& call, const call::AskExtend& action) {
  decisions_->extend(ref, call.machine, action);
}

void Calls::perform(CallRef ref, Call& call, const call::StartLeg& action) {
  if (call.legs.size() < action.leg) {
    call.legs.resize(action.leg);
  }
  auto started = agent_->invite(inviteFor(call, action), PackedKey::pack(ref, static_cast<std::uint8_t>(action.leg)));
  if (!started) {
    telemetry::warn("the INVITE to the carrier could not be sent",
                    {{"call_id", call.machine.id().text()}, {"error", started.error().message}});
    feed(ref, call::LegFailed{action.leg, call::LegFailure::kTransportError, 0});
    return;
  }
  if (!call.leg_started) {
    call.leg_started = true;
    parts_.metrics.setup.observe(std::chrono::duration<double>(parts_.loop.clock().monotonic() - call.invited_at).count());
  }
  auto& carrier = call.legs[action.leg - 1];
  carrier.leg = std::move(started->leg);
  carrier.invite = std::move(started->invite);
  feed(ref, call::LegStarted{action.leg, std::move(started->sip_call_id)});
}

sofia::InviteOut Calls::inviteFor(const Call& call, const call::StartLeg& action) const {
  const auto& candidate = call.machine.candidates()[action.candidate];
  const auto& endpoint = candidate.endpoints[action.endpoint];
  const auto& record = call.machine.record();
  sofia::InviteOut invite;
  invite.destination = {endpoint.address, endpoint.port};
  invite.listener = listenerFor(endpoint.address, call.listener);
  invite.called_user = record.called_out;
  invite.uri_params = candidate.request_uri_parameter;
  invite.caller_user = record.caller_out;
  invite.max_forwards = call.max_forwards;
  if (!call.machine.hasOffer()) {
    return invite;
  }
  auto origin = call.origin_to_carrier;
  origin.address = agent_->listeners()[invite.listener].advertised;
  const auto& row = call.machine.identified().codecs;
  if (allowsAllOf(candidate.codecs, row) && origin.address == call.origin_to_carrier.address) {
    invite.body = {std::string(sofia::kSdpType), call.row_offer};
  } else if (const auto common = commonCodecs(row, candidate.codecs)) {
    invite.body = {std::string(sofia::kSdpType), prepareOffer(call.offer, *common, origin).text};
  }
  return invite;
}

// A listener of the carrier's address family; the one the call came in by when that fits.
std::size_t Calls::listenerFor(const std::string& address, std::size_t preferred) const {
  const auto& listeners = agent_->listeners();
  const auto fits = [&](const sofia::Listener& listener) {
    return (listener.address.find(':') != std::string::npos) == (address.find(':') != std::string::npos);
  };
  if (fits(listeners[preferred])) {
    return preferred;
  }
  const auto found = std::find_if(listeners.begin(), listeners.end(), fits);
  return found == listeners.end() ? preferred : static_cast<std::size_t>(found - listeners.begin());
}

void Calls::perform(CallRef, Call& call, const call::AckLeg& action) {
  auto& carrier = call.legs[action.leg - 1];
  if (const auto done = agent_->ack(carrier.leg, std::move(carrier.invite), call.ack_body); !done) {
    telemetry::warn("the ACK to the carrier could not be sent", {{"call_id", call.machine.id().text()}, {"error", done.error().message}});
  }
}

void Calls::perform(CallRef, Call& call, const call::CancelLeg& action) {
  auto& carrier = call.legs[action.leg - 1];
  if (carrier.invite) {
    (void)carrier.invite.cancel();
  }
}

void Calls::perform(CallRef, Call& call, const call::ByeLeg& action) {
  auto& carrier = call.legs[action.leg - 1];
  if (const auto done = agent_->bye(carrier.leg, byeHeaders(call)); !done) {
    telemetry::warn("the BYE to the carrier could not be sent", {{"call_id", call.machine.id().text()}, {"error", done.error().message}});
  }
  carrier = {};
}

void Calls::perform(CallRef, Call& call, const call::DropLeg& action) {
  call.legs[action.leg - 1] = {};
}

bool Calls::ensureDialog(CallRef ref, Call& call) {
  if (call.dialog) {
    return true;
  }
  auto dialog = agent_->acceptDialog(call.invite, PackedKey::pack(ref, kCallerRole));
  if (!dialog) {
    telemetry::error("the dialog with the caller could not be created",
                     {{"call_id", call.machine.id().text()}, {"error", dialog.error().message}});
    return false;
  }
  call.dialog = std::move(*dialog);
  return true;
}

void Calls::perform(CallRef ref, Call& call, const call::RelayProvisional& action) {
  if (!call.invite || !ensureDialog(ref, call)) {
    return;
  }
  sofia::Reply reply;
  reply.status = action.code;
  if (action.with_sdp) {
    reply.body = *body_;
  }
  (void)call.invite.reply(reply);
}

void Calls::perform(CallRef ref, Call& call, const call::AnswerCaller&) {
  sofia::Reply reply;
  reply.status = 200;
  reply.body = *body_;
  if (!call.invite || !ensureDialog(ref, call) || !call.invite.reply(reply)) {
    feed(ref, call::CallerNoAck{});  // the caller cannot be reached, so the carrier gets ACK and BYE
    return;
  }
  call.ack_expected = true;
  if (call.machine.hasOffer()) {
    call.offer = {};
    call.row_offer = {};
  }
}

void Calls::perform(CallRef, Call& call, const call::RejectCaller& action) {
  if (!call.invite) {
    return;
  }
  auto reply = refusal(action.code, action.q850_cause, action.reason, options_.retry_after_seconds);
  if (!call.unsupported.empty() && action.reason == base::Reason::kMalformed) {
    reply.status = 420;
    reply.phrase.clear();
    reply.headers.push_back({"Unsupported", call.unsupported});
  }
  (void)call.invite.reply(reply);
  call.invite.reset();
}

sofia::Headers Calls::byeHeaders(const Call& call) const {
  const auto& record = call.machine.record();
  if (record.reason == base::Reason::kNormal || record.reason == base::Reason::kUnspecified) {
    return {};
  }
  return {{"Reason", base::reasonHeader(record.reason, record.q850_cause)}};
}

void Calls::perform(CallRef, Call& call, const call::ByeCaller&) {
  if (call.ack_expected) {
    call.bye_waits_for_ack = true;
    return;
  }
  byeCaller(call);
}

void Calls::byeCaller(Call& call) {
  if (!call.dialog) {
    return;
  }
  if (const auto done = agent_->bye(call.dialog, byeHeaders(call)); !done) {
    telemetry::warn("the BYE to the caller could not be sent", {{"call_id", call.machine.id().text()}, {"error", done.error().message}});
  }
  call.dialog.reset();
}

void Calls::perform(CallRef ref, Call& call, const call::ArmTimer& action) {
  const auto kind = static_cast<std::size_t>(action.timer);
  auto& handle = call.timers[kind];
  if (handle.isSet()) {
    parts_.loop.cancel(handle);
  }
  handle = parts_.loop.arm(action.after, PackedKey::pack(ref, static_cast<std::uint8_t>(kTimerRole + kind)));
}

void Calls::perform(CallRef, Call& call, const call::DisarmTimer& action) {
  auto& handle = call.timers[static_cast<std::size_t>(action.timer)];
  if (handle.isSet()) {
    parts_.loop.cancel(handle);
    handle = {};
  }
}

void Calls::perform(CallRef, Call& call, const call::Publish& action) {
  parts_.publisher.publish(call.machine, action, moment().wall);
}

}  // namespace tollgate::ingress
