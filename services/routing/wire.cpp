#include "services/routing/wire.hpp"

#include <google/protobuf/util/time_util.h>

namespace tollgate::routing {
namespace {

routing::v1::RoutingMode toWire(Mode mode) {
  switch (mode) {
    case Mode::kPriority:
      return routing::v1::ROUTING_MODE_PRIORITY;
    case Mode::kWeight:
      return routing::v1::ROUTING_MODE_WEIGHT;
    case Mode::kPercent:
      return routing::v1::ROUTING_MODE_PERCENT;
    case Mode::kUnsupported:
      break;
  }
  return routing::v1::ROUTING_MODE_UNSPECIFIED;
}

common::v1::Transport toWire(Transport transport) {
  switch (transport) {
    case Transport::kTcp:
      return common::v1::TRANSPORT_TCP;
    case Transport::kTls:
      return common::v1::TRANSPORT_TLS;
    case Transport::kUdp:
      break;
  }
  return common::v1::TRANSPORT_UDP;
}

void fill(const Candidate& candidate, routing::v1::Candidate& out) {
  using google::protobuf::util::TimeUtil;
  const Trunk& trunk = *candidate.trunk;
  out.set_trunk_id(trunk.id.value());
  out.set_customer_id(trunk.customer.value());
  out.set_trunk_name(trunk.name);
  out.set_weight(candidate.weight);
  out.set_from_next_trunk(candidate.from_next_trunk);
  out.set_unified_caller(trunk.unified_caller);
  out.set_request_uri_parameter(trunk.request_uri_parameter);
  *out.mutable_try_timeout() = TimeUtil::MillisecondsToDuration(trunk.try_timeout.count());
  *out.mutable_ringing_timeout() = TimeUtil::SecondsToDuration(trunk.ringing_timeout.count());
  for (const auto& endpoint : trunk.endpoints) {
    auto& place = *out.add_endpoints();
    place.set_endpoint_id(endpoint.id.value());
    place.set_address(endpoint.address);
    place.set_port(endpoint.port);
    place.set_transport(toWire(endpoint.transport));
  }
}

}  // namespace

RouteQuery toQuery(const routing::v1::RouteRequest& request) {
  RouteQuery query;
  query.customer = base::CustomerId(request.customer_id());
  query.trunk = base::TrunkId(request.trunk_id());
  query.called = request.called();
  query.dry_run = request.dry_run();
  return query;
}

routing::v1::RouteReply toReply(const RouteDecision& decision) {
  routing::v1::RouteReply reply;
  if (decision.rule != nullptr && !decision.refusal) {
    auto& routed = *reply.mutable_routed();
    routed.set_rule_id(decision.rule->id.value());
    routed.set_rule_code(decision.rule->code.text());
    routed.set_dialpeer_id(decision.dialpeer.value());
    routed.set_mode(toWire(decision.rule->mode));
    routed.set_by_load(decision.by_load);
    for (const auto& candidate : decision.candidates) {
      fill(candidate, *routed.add_candidates());
    }
  }
  if (decision.refusal) {
    reply.mutable_refusal()->set_reason(static_cast<common::v1::Reason>(decision.refusal->reason));
    reply.mutable_refusal()->set_detail(decision.refusal->detail);
  }
  for (const auto& line : decision.trace) {
    auto& step = *reply.add_trace();
    step.set_stage("routing");
    step.set_check(std::string(line.check));
    step.set_found(line.found);
    step.set_passed(line.passed);
  }
  return reply;
}

}  // namespace tollgate::routing
