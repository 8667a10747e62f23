#include "services/ingress/records/call_report.hpp"

#include <algorithm>
#include <utility>

#include "libs/wire/wire.hpp"
#include "services/ingress/calls/call.hpp"
#include "services/ingress/wire.hpp"

namespace tollgate::ingress {
namespace {

constexpr std::chrono::milliseconds kPauseMax = std::chrono::minutes(1);

// The values of call::Phase from kIdentifying on have the numbers of control.CallPhase. kOver is reported as kEnding.
control::v1::CallPhase phaseOf(call::Phase phase) {
  return phase >= call::Phase::kEnding ? control::v1::CALL_PHASE_ENDING : static_cast<control::v1::CallPhase>(phase);
}

void fillCall(control::v1::LiveCall& to, const call::CallMachine& machine) {
  const auto& record = machine.record();
  to.set_call_id(machine.id().text());
  to.set_phase(phaseOf(machine.phase()));
  to.set_customer_id(record.customer.value());
  to.set_trunk_id(record.trunk.value());
  to.set_carrier_trunk_id(record.carrier_trunk.value());
  to.set_caller(record.caller);
  to.set_called(record.called_rated.empty() ? record.called_in : record.called_rated);
  to.set_source_address(record.source_address);
  to.set_endpoint(record.endpoint_address);
  *to.mutable_setup_at() = wire::toWire(record.setup_at);
  if (record.answered_at != base::WallTime{}) {
    *to.mutable_answered_at() = wire::toWire(record.answered_at);
  }
  to.set_paid_seconds(record.paid_seconds);
  to.set_held_micros(record.held_micros);
  if (record.rate.plan.isSet()) {
    *to.mutable_rate() = wire::toWire(record.rate);
  }
}

bool wanted(const control::v1::ReportCallsRequest& request, const control::v1::LiveCall& call) {
  const auto is_or_any = [](std::int64_t asked, std::int64_t has) { return asked == 0 || asked == has; };
  return is_or_any(request.customer_id(), call.customer_id()) && is_or_any(request.trunk_id(), call.trunk_id()) &&
         is_or_any(request.carrier_trunk_id(), call.carrier_trunk_id()) && call.called().starts_with(request.called_prefix()) &&
         (request.call_id().empty() || request.call_id() == call.call_id());
}

}  // namespace

void CallReport::over(const call::CallMachine& machine, const std::string& message_id, base::MonotonicTime now) {
  if (machine.candidates().empty()) {
    return;  // billing was never asked, so nothing is held. While the bus is unavailable there are many such calls
  }
  auto& kept = over_[message_id].unstored;
  fillCall(kept.call, machine);
  kept.call.set_phase(control::v1::CALL_PHASE_ENDING);
  const auto& record = machine.record();
  kept.talked = record.talked;
  // The trunk that was reserved last may have had no attempt, and one of an earlier attempt may not have been given back.
  const auto add = [&carriers = kept.carriers](base::TrunkId trunk) {
    if (trunk.isSet() && std::find(carriers.begin(), carriers.end(), trunk) == carriers.end()) {
      carriers.push_back(trunk);
    }
  };
  add(record.carrier_trunk);
  for (const auto& attempt : record.attempts) {
    if (attempt.skipped == base::Reason::kUnspecified) {
      add(attempt.trunk);
    }
  }
  for (const auto trunk : record.asked_trunks) {
    add(trunk);
  }
  due_.emplace_hint(due_.end(), now + release_after_, Due{message_id, release_after_});
}

void CallReport::forgetStored(const std::vector<std::string>& message_ids) {
  for (const auto& id : message_ids) {
    over_.erase(id);
  }
}

std::vector<std::string> CallReport::takeDue(base::MonotonicTime now, std::size_t most) {
  std::vector<std::string> taken;
  while (!due_.empty() && due_.begin()->first <= now && taken.size() < most) {
    auto due = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    const auto kept = over_.find(due.message_id);
    if (kept == over_.end() || kept->second.released) {
      continue;
    }
    taken.push_back(due.message_id);
    const auto pause = due.pause;
    due.pause = std::min(kPauseMax, pause * 2);
    due_.emplace(now + pause, std::move(due));
  }
  return taken;
}

const UnstoredCall* CallReport::find(const std::string& message_id) const {
  const auto kept = over_.find(message_id);
  return kept == over_.end() ? nullptr : &kept->second.unstored;
}

void CallReport::released(const std::string& message_id) {
  if (const auto kept = over_.find(message_id); kept != over_.end()) {
    kept->second.released = true;
  }
}

CallReport::Piece CallReport::report(const control::v1::ReportCallsRequest& request, std::size_t first, bool draining) const {
  Piece piece;
  auto& reply = piece.reply;
  reply.set_instance(instance_);
  reply.set_draining(draining);
  const auto add = [&](control::v1::LiveCall&& call) {
    reply.set_total(reply.total() + 1);
    if (request.limit() == 0 || static_cast<std::uint32_t>(reply.calls_size()) < request.limit()) {
      *reply.add_calls() = std::move(call);
    }
  };
  const auto end = std::min(first + kSlotsPerPiece, table_.slots());
  for (std::size_t i = first; i < end; ++i) {
    const auto* call = table_.at(i);
    if (call == nullptr || call->machine.isRecorded()) {
      continue;  // its record is in over_ or stored already
    }
    control::v1::LiveCall live;
    fillCall(live, call->machine);
    if (!wanted(request, live)) {
      continue;
    }
    if (!request.call_id().empty()) {
      wire::addTrace(call->machine.record().trace, *live.mutable_trace());
    }
    add(std::move(live));
  }
  if (end < table_.slots()) {
    piece.next = end;
    return piece;
  }
  for (const auto& [id, kept] : over_) {
    if (wanted(request, kept.unstored.call)) {
      add(control::v1::LiveCall(kept.unstored.call));
    }
  }
  return piece;
}

}  // namespace tollgate::ingress
