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

Question toQuestion(const routing::v1::RouteRequest& request) {
  Question question;
  question.customer = base::CustomerId(request.customer_id());
  question.trunk = base::TrunkId(request.trunk_id());
  question.called = request.called();
  question.dry_run = request.dry_run();
  return question;
}

routing::v1::RouteReply toReply(const Answer& answer) {
  routing::v1::RouteReply reply;
  if (answer.rule != nullptr && !answer.refusal) {
    auto& routed = *reply.mutable_routed();
    routed.set_rule_id(answer.rule->id.value());
    routed.set_rule_code(answer.rule->code.text());
    routed.set_dialpeer_id(answer.dialpeer.value());
    routed.set_mode(toWire(answer.rule->mode));
    routed.set_by_load(answer.by_load);
    for (const auto& candidate : answer.candidates) {
      fill(candidate, *routed.add_candidates());
    }
  }
  if (answer.refusal) {
    reply.mutable_refusal()->set_reason(static_cast<common::v1::Reason>(answer.refusal->reason));
    reply.mutable_refusal()->set_detail(answer.refusal->detail);
  }
  for (const auto& line : answer.trace) {
    auto& step = *reply.add_trace();
    step.set_stage("routing");
    step.set_check(std::string(line.check));
    step.set_found(line.found);
    step.set_passed(line.passed);
  }
  return reply;
}

}  // namespace tollgate::routing
