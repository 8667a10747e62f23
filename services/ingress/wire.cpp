#include "services/ingress/wire.hpp"

#include <utility>

#include "libs/wire/wire.hpp"

namespace tollgate::ingress {
namespace {

call::Identified takeIdentified(auth::v1::Identified& from) {
  return {base::CustomerId(from.customer_id()), base::TrunkId(from.trunk_id()),    base::SourceRowId(from.source_row_id()),
          std::move(*from.mutable_called()),    std::move(*from.mutable_caller()), wire::fromWire(from.codecs())};
}

template <class List>
std::vector<call::Skipped> takeSkipped(List& list) {
  std::vector<call::Skipped> taken;
  taken.reserve(static_cast<std::size_t>(list.size()));
  for (auto& skipped : list) {
    taken.push_back({skipped.index(), wire::fromWire(skipped.reason()), std::move(*skipped.mutable_detail())});
  }
  return taken;
}

call::Occupied takeOccupied(billing::v1::Occupied& from) {
  call::Occupied occupied;
  occupied.index = from.index();
  occupied.skipped = takeSkipped(*from.mutable_skipped());
  if (from.has_vendor_rate()) {
    occupied.vendor_rate = wire::fromWire(from.vendor_rate());
  }
  return occupied;
}

std::chrono::milliseconds takeDuration(const google::protobuf::Duration& duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wire::fromWire(duration));
}

call::Candidate takeCandidate(routing::v1::Candidate& from) {
  call::Candidate candidate;
  candidate.trunk = base::TrunkId(from.trunk_id());
  candidate.vendor = base::CustomerId(from.customer_id());
  candidate.weight = from.weight();
  candidate.unified_caller = std::move(*from.mutable_unified_caller());
  candidate.request_uri_parameter = std::move(*from.mutable_request_uri_parameter());
  candidate.called_prefix = std::move(*from.mutable_called_prefix());
  candidate.try_timeout = takeDuration(from.try_timeout());
  candidate.ringing_timeout = takeDuration(from.ringing_timeout());
  candidate.codecs = wire::fromWire(from.codecs());
  candidate.endpoints.reserve(static_cast<std::size_t>(from.endpoints_size()));
  for (auto& endpoint : *from.mutable_endpoints()) {
    if (wire::fromWire(endpoint.transport()) != base::Transport::kUdp) {
      continue;  // this transport is not supported yet
    }
    if (endpoint.port() == 0 || endpoint.port() > 65535) {
      continue;
    }
    candidate.endpoints.push_back({base::EndpointId(endpoint.endpoint_id()), std::move(*endpoint.mutable_address()),
                                   static_cast<std::uint16_t>(endpoint.port()), base::Transport::kUdp});
  }
  return candidate;
}

template <class Reply>
call::Refused takeRefused(call::Decision decision, Reply& reply) {
  call::Refused refused;
  refused.decision = decision;
  refused.reason = wire::fromWire(reply.refusal().reason());
  refused.detail = std::move(*reply.mutable_refusal()->mutable_detail());
  return refused;
}

}  // namespace

call::Event toEvent(auth::v1::AuthorizeReply& reply) {
  if (reply.has_refusal()) {
    auto refused = takeRefused(call::Decision::kAuthorize, reply);
    refused.trace = wire::takeTrace(*reply.mutable_trace());
    if (reply.has_identified()) {
      refused.identified = takeIdentified(*reply.mutable_identified());
    }
    return refused;
  }
  if (!reply.has_identified()) {
    return call::DecisionFailed{call::Decision::kAuthorize, "the answer holds neither a result nor a refusal"};
  }
  call::Authorized authorized;
  authorized.identified = takeIdentified(*reply.mutable_identified());
  authorized.trace = wire::takeTrace(*reply.mutable_trace());
  return authorized;
}

call::Event toEvent(routing::v1::RouteReply& reply) {
  if (reply.has_refusal()) {
    auto refused = takeRefused(call::Decision::kRoute, reply);
    refused.trace = wire::takeTrace(*reply.mutable_trace());
    return refused;
  }
  if (!reply.has_routed()) {
    return call::DecisionFailed{call::Decision::kRoute, "the answer holds neither a result nor a refusal"};
  }
  auto& from = *reply.mutable_routed();
  call::Routed routed;
  routed.rule = base::RuleId(from.rule_id());
  routed.rule_code = std::move(*from.mutable_rule_code());
  routed.dialpeer = base::DialpeerId(from.dialpeer_id());
  routed.by_load = from.by_load();
  routed.candidates.reserve(static_cast<std::size_t>(from.candidates_size()));
  for (auto& candidate : *from.mutable_candidates()) {
    routed.candidates.push_back(takeCandidate(candidate));
  }
  routed.trace = wire::takeTrace(*reply.mutable_trace());
  return routed;
}

call::Event toEvent(billing::v1::ReserveReply& reply) {
  if (reply.has_refusal()) {
    auto refused = takeRefused(call::Decision::kReserve, reply);
    refused.trace = wire::takeTrace(*reply.mutable_trace());
    return refused;
  }
  if (!reply.has_reserved() || !reply.reserved().has_occupied()) {
    return call::DecisionFailed{call::Decision::kReserve, "the answer holds neither a result nor a refusal"};
  }
  auto& from = *reply.mutable_reserved();
  call::Reserved reserved;
  reserved.rate = wire::fromWire(from.rate());
  reserved.held_micros = from.held_micros();
  reserved.paid_seconds = from.paid_seconds();
  reserved.heartbeat_seconds = from.heartbeat_seconds();
  reserved.occupied = takeOccupied(*from.mutable_occupied());
  reserved.trace = wire::takeTrace(*reply.mutable_trace());
  return reserved;
}

call::Event toEvent(billing::v1::OccupyReply& reply) {
  if (reply.has_refusal()) {
    auto refused = takeRefused(call::Decision::kOccupy, reply);
    refused.skipped = takeSkipped(*reply.mutable_skipped());
    return refused;
  }
  if (!reply.has_occupied()) {
    return call::DecisionFailed{call::Decision::kOccupy, "the answer holds neither a result nor a refusal"};
  }
  return takeOccupied(*reply.mutable_occupied());
}

call::Event toEvent(billing::v1::ExtendReply& reply) {
  return call::Extended{reply.paid_seconds(), reply.held_micros(), reply.refused()};
}

void fillAttempt(call::v1::Attempt& to, const call::Attempt& attempt) {
  to.set_number(attempt.number);
  to.set_trunk_id(attempt.trunk.value());
  to.set_endpoint_id(attempt.endpoint.value());
  to.set_endpoint(attempt.address);
  to.set_final_code(static_cast<std::uint32_t>(attempt.final_code));
  *to.mutable_lasted() = wire::toWire(attempt.lasted);
  to.set_ended_because(std::string(call::attemptEndWord(attempt.end)));
  to.set_skipped(wire::toWire(attempt.skipped));
  to.set_detail(attempt.detail);
  *to.mutable_started_at() = wire::toWire(attempt.started_at);
}

namespace {

void fillTimes(call::v1::CallRecord& to, const call::CallRecord& record) {
  const base::WallTime never{};
  *to.mutable_setup_at() = wire::toWire(record.setup_at);
  if (record.ringing_at != never) {
    *to.mutable_ringing_at() = wire::toWire(record.ringing_at);
  }
  if (record.answered_at != never) {
    *to.mutable_answered_at() = wire::toWire(record.answered_at);
  }
  if (record.ended_at != never) {
    *to.mutable_ended_at() = wire::toWire(record.ended_at);
  }
  *to.mutable_talked() = wire::toWire(record.talked);
  if (record.pdd.count() > 0) {
    *to.mutable_pdd() = wire::toWire(record.pdd);
  }
}

void fillSides(call::v1::CallRecord& to, const call::CallRecord& record) {
  to.set_ingress_sip_call_id(record.ingress_sip_call_id);
  to.set_egress_sip_call_id(record.egress_sip_call_id);
  to.set_caller_in(record.caller_in);
  to.set_called_in(record.called_in);
  to.set_caller_out(record.caller_out);
  to.set_called_out(record.called_out);
  to.set_called_rated(record.called_rated);
  to.set_customer_id(record.customer.value());
  to.set_trunk_id(record.trunk.value());
  to.set_source_address(record.source_address);
  to.set_source_port(record.source_port);
  to.set_source_transport(static_cast<common::v1::Transport>(record.transport));
  to.set_source_row_id(record.source_row.value());
  to.set_carrier_customer_id(record.carrier_customer.value());
  to.set_carrier_trunk_id(record.carrier_trunk.value());
  to.set_endpoint_id(record.endpoint.value());
  to.set_endpoint(record.endpoint_address);
  to.set_rule_id(record.rule.value());
  to.set_rule_code(record.rule_code);
  to.set_dialpeer_id(record.dialpeer.value());
}

}  // namespace

void fillRecord(call::v1::CallRecord& to, const call::CallRecord& record) {
  fillTimes(to, record);
  fillSides(to, record);
  if (record.rate.plan.isSet()) {
    *to.mutable_rate() = wire::toWire(record.rate);
  }
  if (record.vendor_rate.plan.isSet()) {
    *to.mutable_vendor_rate() = wire::toWire(record.vendor_rate);
  }
  to.set_paid_seconds(record.paid_seconds);
  to.set_final_code(static_cast<std::uint32_t>(record.final_code));
  to.set_q850_cause(static_cast<std::uint32_t>(record.q850_cause));
  to.set_reason(wire::toWire(record.reason));
  to.set_ended_by(static_cast<call::v1::EndedBy>(record.ended_by));
  to.set_ended_by_user(record.ended_by_user);
  for (const auto& attempt : record.attempts) {
    fillAttempt(*to.add_attempts(), attempt);
  }
  wire::addTrace(record.trace, *to.mutable_trace());
  for (const base::TrunkId trunk : record.asked_trunks) {
    to.add_asked_trunk_ids(trunk.value());
  }
}

}  // namespace tollgate::ingress
