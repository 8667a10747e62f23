#include "services/ingress/records/call_report.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>
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

bool wanted(const control::v1::ReportCallsRequest& request, const std::unordered_set<std::string_view>& named,
            const control::v1::LiveCall& call) {
  const auto is_or_any = [](std::int64_t asked, std::int64_t has) { return asked == 0 || asked == has; };
  return is_or_any(request.customer_id(), call.customer_id()) && is_or_any(request.trunk_id(), call.trunk_id()) &&
         is_or_any(request.carrier_trunk_id(), call.carrier_trunk_id()) && call.called().starts_with(request.called_prefix()) &&
         (request.call_id().empty() || request.call_id() == call.call_id()) && (named.empty() || named.contains(call.call_id()));
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

control::v1::ReportCallsReply CallReport::report(const control::v1::ReportCallsRequest& request, Cursor& cursor) const {
  control::v1::ReportCallsReply reply;
  reply.set_instance(instance_);
  const std::unordered_set<std::string_view> named(request.call_ids().begin(), request.call_ids().end());
  const auto add = [&](control::v1::LiveCall live) -> control::v1::LiveCall* {
    if (!wanted(request, named, live)) {
      return nullptr;
    }
    reply.set_total(reply.total() + 1);
    if (request.limit() != 0 && static_cast<std::uint32_t>(reply.calls_size()) >= request.limit()) {
      return nullptr;
    }
    *reply.add_calls() = std::move(live);
    return reply.mutable_calls(reply.calls_size() - 1);
  };
  if (cursor.slot < table_.slots()) {
    const auto end = std::min(cursor.slot + kCallsPerPiece, table_.slots());
    for (; cursor.slot < end; ++cursor.slot) {
      const auto* call = table_.at(cursor.slot);
      if (call == nullptr || call->machine.isRecorded()) {
        continue;  // its record is in over_ or stored already
      }
      control::v1::LiveCall live;
      fillCall(live, call->machine);
      if (auto* added = add(std::move(live)); added != nullptr && !request.call_id().empty()) {
        wire::addTrace(call->machine.record().trace, *added->mutable_trace());
      }
    }
    reply.set_is_last(cursor.slot == table_.slots() && over_.empty());
    return reply;
  }
  auto next = over_.upper_bound(cursor.after);
  for (std::size_t i = 0; i < kCallsPerPiece && next != over_.end(); ++i, ++next) {
    add(next->second.unstored.call);
    cursor.after = next->first;
  }
  reply.set_is_last(next == over_.end());
  return reply;
}

}  // namespace tollgate::ingress
