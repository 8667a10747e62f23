#include "services/ingress/calls/decisions.hpp"

#include <exception>
#include <utility>

#include "libs/wire/wire.hpp"
#include "services/ingress/wire.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/routing/v1/routing.rpc.h"

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

template <bus::RpcVerb Def>
void Decisions::ask(CallRef ref, const call::CallMachine& machine, const typename Def::Request& request, call::Decision decision,
                    std::chrono::milliseconds timeout) {
  const auto asked = std::chrono::steady_clock::now();
  client_.call<Def>(machine.id().text(), request, timeout, [this, ref, decision, asked](base::Result<typename Def::Reply> reply) {
    metrics_.decided(decision, std::chrono::steady_clock::now() - asked, reply.has_value());
    if (reply) {
      try {
        deliver_(ref, toEvent(*reply));
      } catch (const std::exception& error) {  // a call that waits for an answer gets one
        deliver_(ref, call::DecisionFailed{decision, error.what()});
      }
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
  request.set_transport(wire::toWire(record.transport));
  request.set_called(record.called_in);
  request.set_caller(record.caller_in);
  ask<auth::v1::Auth::Authorize>(ref, machine, request, call::Decision::kAuthorize, timeouts_.auth);
}

void Decisions::route(CallRef ref, const call::CallMachine& machine) {
  const auto& record = machine.record();
  routing::v1::RouteRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_called(machine.identified().called);
  request.set_caller(machine.identified().caller);
  *request.mutable_at() = wire::toWire(record.setup_at);
  ask<routing::v1::Routing::Route>(ref, machine, request, call::Decision::kRoute, timeouts_.routing);
}

void Decisions::reserve(CallRef ref, const call::CallMachine& machine) {
  const auto& record = machine.record();
  billing::v1::ReserveRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_called(machine.identified().called);
  request.set_caller(machine.identified().caller);
  *request.mutable_start() = wire::toWire(record.setup_at);
  addCandidates(*request.mutable_candidates(), machine);
  request.set_by_load(machine.askedByLoad());
  request.set_instance(instance_);
  ask<billing::v1::Billing::Reserve>(ref, machine, request, call::Decision::kReserve, timeouts_.billing);
}

void Decisions::occupy(CallRef ref, const call::CallMachine& machine, const call::AskOccupy& question) {
  billing::v1::OccupyRequest request;
  request.set_customer_id(machine.record().customer.value());
  request.set_called(machine.identified().called);
  *request.mutable_start() = wire::toWire(machine.record().setup_at);
  request.set_release_trunk_id(question.release_trunk.value());
  addCandidates(*request.mutable_candidates(), machine);
  request.set_by_load(machine.askedByLoad());
  ask<billing::v1::Billing::Occupy>(ref, machine, request, call::Decision::kOccupy, timeouts_.billing);
}

void Decisions::extend(CallRef ref, const call::CallMachine& machine, const call::AskExtend& question) {
  const auto& record = machine.record();
  billing::v1::ExtendRequest request;
  request.set_customer_id(record.customer.value());
  request.set_trunk_id(record.trunk.value());
  request.set_carrier_trunk_id(record.carrier_trunk.value());
  *request.mutable_rate() = wire::toWire(record.rate);
  request.set_confirmed_seconds(question.confirmed_seconds);
  request.set_want_paid_seconds(question.want_paid_seconds);
  request.set_paid_seconds(record.paid_seconds);
  request.set_sequence(question.sequence);
  request.set_was_refused(question.was_refused);
  request.set_instance(instance_);
  ask<billing::v1::Billing::Extend>(ref, machine, request, call::Decision::kExtend, timeouts_.billing);
}

void Decisions::release(const UnstoredCall& ended, std::function<void(bool)> done) {
  const auto& call = ended.call;
  billing::v1::ReleaseRequest request;
  request.set_customer_id(call.customer_id());
  request.set_trunk_id(call.trunk_id());
  for (const auto carrier : ended.carriers) {
    request.add_carrier_trunk_ids(carrier.value());
  }
  if (call.has_rate()) {
    *request.mutable_rate() = call.rate();
  }
  if (call.has_answered_at()) {
    *request.mutable_talked() = wire::toWire(ended.talked);
  }
  request.set_paid_seconds(call.paid_seconds());
  client_.call<billing::v1::Billing::Release>(
      call.call_id(), request, timeouts_.billing,
      [done = std::move(done)](const base::Result<billing::v1::ReleaseReply>& reply) { done(reply.has_value()); });
}

}  // namespace tollgate::ingress
