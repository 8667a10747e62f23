#include "services/routing/wire.hpp"

#include "libs/wire/wire.hpp"

namespace tollgate::routing {
namespace {

void fill(const Candidate& candidate, routing::v1::Candidate& out) {
  const Trunk& trunk = *candidate.trunk;
  out.set_trunk_id(trunk.id.value());
  out.set_customer_id(trunk.customer.value());
  out.set_trunk_name(trunk.name);
  out.set_weight(candidate.weight);
  out.set_from_next_trunk(candidate.from_next_trunk);
  out.set_unified_caller(trunk.unified_caller);
  out.set_request_uri_parameter(trunk.request_uri_parameter);
  *out.mutable_try_timeout() = wire::toWire(trunk.try_timeout);
  *out.mutable_ringing_timeout() = wire::toWire(trunk.ringing_timeout);
  for (const auto& endpoint : trunk.endpoints) {
    auto& place = *out.add_endpoints();
    place.set_endpoint_id(endpoint.id.value());
    place.set_address(endpoint.address);
    place.set_port(endpoint.port);
    place.set_transport(wire::toWire(endpoint.transport));
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
    routed.set_mode(static_cast<routing::v1::RoutingMode>(decision.rule->mode));
    routed.set_by_load(decision.by_load);
    for (const auto& candidate : decision.candidates) {
      fill(candidate, *routed.add_candidates());
    }
  }
  if (decision.refusal) {
    *reply.mutable_refusal() = wire::toWire(*decision.refusal);
  }
  wire::addTrace(decision.trace, *reply.mutable_trace());
  return reply;
}

}  // namespace tollgate::routing
