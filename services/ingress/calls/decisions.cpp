#include "services/ingress/calls/decisions.hpp"

#include <utility>

#include "libs/bus/rpcs_auth.hpp"
#include "libs/bus/rpcs_billing.hpp"
#include "libs/bus/rpcs_routing.hpp"
#include "services/ingress/wire.hpp"

namespace tollgate::ingress {
namespace {

void addCandidates(google::protobuf::RepeatedPtrField<billing::v1::CandidateTrunk>& to, const call::CallMachine& machine) {
  for (const auto index : machine.askedCandidates()) {
    const auto& candidate = machine.candidates()[index];
    auto& added = *to.Add();
    added.set_trunk_id(candidate.trunk.value());
    added.set_weight(candidate.weight);
  }
}

}  // namespace

Decisions::Decisions(bus::Connection& connection, bus::Executor executor, Timeouts timeouts, std::string instance, IngressMetrics& metrics,
                     Deliver deliver)
    : timeouts_(timeouts),
      instance_(std::move(instance)),
      metrics_(metrics),
      deliver_(std::move(deliver)),
      client_(connection, std::move(executor), {.gather = true}) {}

template <bus::RpcDefinition Def>
void Decisions::ask(CallRef ref, const call::CallMachine& machine, const typename Def::Request& request, call::Decision decision,
                    std::chrono::milliseconds timeout) {
  const auto asked = std::chrono::steady_clock::now();
  client_.call<Def>(machine.id().text(), request, timeout, [this, ref, decision, asked](base::Result<typename Def::Reply> reply) {
    metrics_.decided(decision, std::chrono::steady_clock::now() - asked, reply.has_value());
    if (reply) {
      deliver_(ref, toEvent(*reply));
    } else {
      deliver_(ref, call::DecisionFailed{decision, std::string(base::errorCodeName(reply.error().code)) + ": " + reply.error().message});
    }
  });
}

void Decisions::authorize(CallRef ref, const call::CallMachine& machine) {
  const auto& record = machine.record();
  auth::v1::AuthorizeRequest request;
  request.set_source_address(record.source_address);
  request.set_source_port(record.source_port);
  request.set_transport(static_cast<common::v1::Transport>(record.transport));
  request.set_called(record.called_in);
  request.set_caller(record.caller_in);
  ask<bus::Authorize>(ref, machine, request, call::Decision::kAuthorize, timeouts_.auth);
}

void Decisions::route(CallRef ref, const call::CallMachine& machine) {
  const auto& record = machine.record();
  routing::v1::RouteRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_called(machine.identified().called);
  request.set_caller(machine.identified().caller);
  setTime(*request.mutable_at(), record.setup_at);
  ask<bus::Route>(ref, machine, request, call::Decision::kRoute, timeouts_.routing);
}

void Decisions::reserve(CallRef ref, const call::CallMachine& machine) {
  const auto& record = machine.record();
  billing::v1::ReserveRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_called(machine.identified().called);
  request.set_caller(machine.identified().caller);
  setTime(*request.mutable_start(), record.setup_at);
  addCandidates(*request.mutable_candidates(), machine);
  request.set_by_load(machine.askedByLoad());
  request.set_instance(instance_);
  ask<bus::Reserve>(ref, machine, request, call::Decision::kReserve, timeouts_.billing);
}

void Decisions::occupy(CallRef ref, const call::CallMachine& machine, const call::AskOccupy& question) {
  billing::v1::OccupyRequest request;
  request.set_customer_id(machine.record().customer.value());
  request.set_called(machine.identified().called);
  setTime(*request.mutable_start(), machine.record().setup_at);
  request.set_release_trunk_id(question.release_trunk.value());
  addCandidates(*request.mutable_candidates(), machine);
  request.set_by_load(machine.askedByLoad());
  ask<bus::Occupy>(ref, machine, request, call::Decision::kOccupy, timeouts_.billing);
}

void Decisions::extend(CallRef ref, const call::CallMachine& machine, const call::AskExtend& question) {
  const auto& record = machine.record();
  billing::v1::ExtendRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_carrier_trunk_id(record.carrier_trunk.value());
  fillRate(*request.mutable_rate(), record.rate);
  request.set_confirmed_seconds(question.confirmed_seconds);
  request.set_want_paid_seconds(question.want_paid_seconds);
  ask<bus::Extend>(ref, machine, request, call::Decision::kExtend, timeouts_.billing);
}

}  // namespace tollgate::ingress
