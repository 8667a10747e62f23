#include "services/billing/admission/extension.hpp"

#include <algorithm>

#include "libs/base/clock.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/admission/window.hpp"
#include "services/billing/records/pricing.hpp"
#include "services/billing/wire.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

namespace {

// What the call keeps whatever happens to the balance: what it has been promised, but no more than a quantum beyond what it has talked.
std::chrono::seconds leastKept(const v1::ExtendRequest& request, const Settings& settings) {
  const auto quantum = std::chrono::ceil<std::chrono::seconds>(settings.quantum);
  return std::min(std::chrono::seconds(request.paid_seconds()), std::chrono::seconds(request.confirmed_seconds()) + quantum);
}

// What is known of a call whose hold Redis has lost and which is made again.
std::string knownRecord(const std::string& call, const v1::ExtendRequest& request) {
  call::v1::CallAnswered answered;
  answered.mutable_header()->set_call_id(call);
  answered.mutable_header()->set_instance(request.instance());
  call::v1::CallRecord& record = *answered.mutable_record();
  record.set_customer_id(request.customer_id());
  record.set_trunk_id(request.trunk_id());
  record.set_carrier_trunk_id(request.carrier_trunk_id());
  *record.mutable_rate() = request.rate();
  return answered.SerializeAsString();
}

}  // namespace

void Extension::extend(const bus::RpcContext& context, const v1::ExtendRequest& request, bus::Responder<v1::ExtendReply> responder) {
  const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
  const CustomerView* customer = snapshot ? snapshot->customers.find(base::CustomerId(request.customer_id())) : nullptr;
  if (customer == nullptr) {
    deps_.metrics.extend.failed.add();
    responder.fail({base::ErrorCode::kUnavailable, "customer " + std::to_string(request.customer_id()) + " is not in the configuration"});
    return;
  }
  const money::Rate rate = wire::fromWire(request.rate());
  ExtendOrder order;
  order.call = context.call_id;
  order.customer = customer->id;
  order.trunk = base::TrunkId(request.trunk_id());
  order.floor_micros = customer->floor_micros;
  const std::chrono::seconds confirmed(request.confirmed_seconds());
  const std::chrono::seconds promised(request.paid_seconds());
  const auto wanted =
      request.want_paid_seconds() != 0 ? std::chrono::seconds(request.want_paid_seconds()) : leastKept(request, deps_.settings);
  order.promised_micros = costOf(rate, promised);
  order.window = holdWindow(deps_.settings, rate, confirmed, wanted, promised);
  order.confirmed_seconds = confirmed.count();
  order.sequence = request.sequence();
  order.instance = request.instance();
  order.record = knownRecord(context.call_id, request);
  const TrunkView* carrier = snapshot->trunks.find(base::TrunkId(request.carrier_trunk_id()));
  // Shared with the one completion below: std::function needs captures that can be copied, and the responder cannot.
  auto shared = std::make_shared<bus::Responder<v1::ExtendReply>>(std::move(responder));
  deps_.store.extend(order, [this, shared, call = context.call_id, request, snapshot, carrier,
                             wanted_micros = order.window.wanted_micros](base::Result<ExtendOutcome> outcome) {
    if (!outcome) {
      deps_.metrics.extend.failed.add();
      shared->fail(outcome.error());
      return;
    }
    if (outcome->status == ExtendStatus::kHeld && carrier != nullptr) {
      deps_.store.renewSlot(call, carrier->customer, carrier->id);
    }
    onExtended(call, request, wanted_micros, *outcome, *shared);
  });
}

void Extension::release(const bus::RpcContext& context, const v1::ReleaseRequest& request, bus::Responder<v1::ReleaseReply> responder) {
  const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
  if (!snapshot || request.customer_id() == 0) {
    deps_.metrics.release.failed.add();
    responder.fail({snapshot ? base::ErrorCode::kInvalid : base::ErrorCode::kUnavailable,
                    snapshot ? "customer_id is missing" : "no configuration has been loaded yet"});
    return;
  }
  ReleaseOrder order;
  order.call = context.call_id;
  order.customer = base::CustomerId(request.customer_id());
  order.trunk = base::TrunkId(request.trunk_id());
  order.awaits_record = true;
  if (request.has_talked()) {
    const auto charged = chargedSeconds(wire::fromWire(request.talked()), request.paid_seconds());
    order.talked_seconds = charged.count();
    order.charge_micros = request.has_rate() ? money::charge(wire::fromWire(request.rate()), charged) : 0;
  }
  for (const std::int64_t id : request.carrier_trunk_ids()) {
    if (const TrunkView* carrier = snapshot->trunks.find(base::TrunkId(id))) {
      order.carrier_slots.push_back({carrier->customer, carrier->id});
    }
  }
  // Shared with the one completion below, as in extend().
  auto shared = std::make_shared<bus::Responder<v1::ReleaseReply>>(std::move(responder));
  deps_.store.release(order, [this, shared, customer = order.customer](base::Result<ReleaseStatus> outcome) {
    if (outcome && *outcome == ReleaseStatus::kReleased) {
      deps_.metrics.release.granted.add();
      shared->reply({});
      return;
    }
    deps_.metrics.release.failed.add();
    if (!outcome) {
      shared->fail(outcome.error());
      return;
    }
    deps_.on_missing(customer);
    shared->fail({base::ErrorCode::kUnavailable, "the account of customer " + std::to_string(customer.value()) + " is being rebuilt"});
  });
}

void Extension::onExtended(const std::string& call, const v1::ExtendRequest& request, std::int64_t wanted_micros,
                           const ExtendOutcome& outcome, bus::Responder<v1::ExtendReply>& responder) {
  const base::CustomerId customer(request.customer_id());
  if (outcome.status != ExtendStatus::kHeld) {
    deps_.metrics.extend.failed.add();
    if (outcome.status == ExtendStatus::kMissing) {
      deps_.on_missing(customer);
      responder.fail({base::ErrorCode::kUnavailable, "the account of customer " + std::to_string(customer.value()) + " is being rebuilt"});
    } else {
      responder.fail({base::ErrorCode::kConflict, "the call has ended"});
    }
    return;
  }
  v1::ExtendReply reply;
  const auto due = money::maxSecondsFor(wire::fromWire(request.rate()), std::max<std::int64_t>(outcome.due_micros, 0));
  reply.set_paid_seconds(static_cast<std::uint32_t>(std::max(due, leastKept(request, deps_.settings)).count()));
  reply.set_held_micros(outcome.held_micros);
  reply.set_refused(outcome.due_micros < wanted_micros);
  if (reply.refused()) {
    deps_.metrics.extend.refused.add();
    if (!request.was_refused()) {
      publishExhausted(call, customer, reply.paid_seconds());
    }
  } else {
    deps_.metrics.extend.granted.add();
  }
  responder.reply(reply);
}

void Extension::publishExhausted(const std::string& call, base::CustomerId customer, std::uint32_t paid_seconds) {
  v1::CreditExhausted event;
  event.set_customer_id(customer.value());
  event.set_call_id(call);
  *event.mutable_at() = wire::toWire(base::SystemClock().wall());
  event.set_paid_seconds(paid_seconds);
  if (const auto sent = events_.publish(bus::subjects::creditEvent("exhausted", customer), event.SerializeAsString()); !sent) {
    telemetry::warn("event credit.exhausted not published", {{"call_id", call}, {"error", sent.error().message}});
  }
}

}  // namespace tollgate::billing
