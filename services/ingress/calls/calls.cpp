#include "services/ingress/calls/calls.hpp"

#include <exception>
#include <utility>

#include "libs/telemetry/log.hpp"
#include "services/ingress/calls/media.hpp"

namespace tollgate::ingress {

Calls::Calls(Options options, Parts parts) : options_(std::move(options)), parts_(parts) {}

Calls::~Calls() = default;

void Calls::connect(sofia::Agent& agent, Decisions& decisions) {
  agent_ = &agent;
  decisions_ = &decisions;
}

void Calls::startDraining() {
  draining_ = true;
  parts_.metrics.draining.set(1);
}

void Calls::shutDown(bool is_last) {
  startDraining();
  for (std::size_t i = 0; i < table_.slots(); ++i) {
    if (table_.at(i) != nullptr) {
      feed(table_.refAt(i), call::Shutdown{base::Reason::kDraining, is_last});
    }
  }
}

bool Calls::areAllRecorded() const {
  for (std::size_t i = 0; i < table_.slots(); ++i) {
    if (const auto* call = table_.at(i); call != nullptr && !call->machine.isRecorded()) {
      return false;
    }
  }
  return true;
}

// Walks over all calls: operators ask rarely, and an index by call id would cost every call.
bool Calls::hangUp(std::string_view call_id, std::string user) {
  for (std::size_t i = 0; i < table_.slots(); ++i) {
    const auto* call = table_.at(i);
    if (call != nullptr && call->machine.id().text() == call_id) {
      if (call->machine.phase() >= call::Phase::kEnding) {
        return false;
      }
      feed(table_.refAt(i), call::OperatorHangup{std::move(user)});
      return true;
    }
  }
  return false;
}

void Calls::onDecision(CallRef ref, call::Event event) {
  if (auto* call = table_.find(ref)) {
    if (auto* authorized = std::get_if<call::Authorized>(&event)) {
      checkOffer(*call, *authorized);
    } else if (auto* routed = std::get_if<call::Routed>(&event)) {
      checkCandidates(*call, *routed);
    }
  }
  feed(ref, std::move(event));
}

void Calls::checkOffer(Call& call, call::Authorized& event) {
  auto offer = prepareOffer(call.offer, event.identified.codecs, call.origin_to_carrier);
  event.offer_refused = offer.refused;
  call.row_offer = std::move(offer.text);
}

// Carrier trunks that allow none of the offered codecs are passed over before billing is asked for a slot.
void Calls::checkCandidates(Call& call, call::Routed& event) {
  if (!call.machine.hasOffer()) {
    return;
  }
  for (auto& candidate : event.candidates) {
    const auto& row = call.machine.identified().codecs;
    if (allowsAllOf(candidate.codecs, row)) {
      continue;  // the offer was accepted with the row's codecs
    }
    const auto common = commonCodecs(row, candidate.codecs);
    candidate.unusable = common ? prepareOffer(call.offer, *common, call.origin_to_carrier).refused : base::Reason::kNoCommonCodec;
  }
}

void Calls::onTimer(sofia::Key key) {
  const auto ref = PackedKey::call(key);
  const auto kind = static_cast<std::size_t>(PackedKey::role(key) - kTimerRole);
  auto* call = table_.find(ref);
  if (call == nullptr || kind >= base::enumSize(call::kLastTimerKind)) {
    parts_.metrics.stale_events.add();
    return;
  }
  call->timers[kind] = {};
  feed(ref, call::TimerFired{static_cast<call::TimerKind>(kind)});
}

// A machine handles one event at a time. Carrying out its actions may cause further events (an INVITE that cannot be sent); those wait
// until all actions are carried out.
void Calls::feed(CallRef ref, call::Event event, sofia::Body body) {
  if (busy_) {
    pending_.push_back({ref, std::move(event), std::move(body)});
    return;
  }
  busy_ = true;
  step(ref, std::move(event), body);
  while (!pending_.empty()) {
    auto next = std::move(pending_.front());
    pending_.pop_front();
    step(next.ref, std::move(next.event), next.body);
  }
  busy_ = false;
}

void Calls::step(CallRef ref, call::Event event, const sofia::Body& body) {
  auto* call = table_.find(ref);
  if (call == nullptr) {
    parts_.metrics.stale_events.add();
    return;
  }
  auto& machine = call->machine;
  const auto phase = machine.phase();
  const auto ignored = machine.ignoredEvents();
  if (!handle(ref, *call, std::move(event), body)) {
    parts_.metrics.faulted_calls.add();
    // Nothing more can be expected of this call, so it ends, with its record. All others go on.
    (void)handle(ref, *call, call::Shutdown{base::Reason::kDecisionUnavailable, true}, {});
    table_.remove(ref);
    return;
  }
  if (machine.phase() != phase) {
    parts_.metrics.phaseChanged(phase, machine.phase());
  }
  if (machine.ignoredEvents() != ignored) {
    parts_.metrics.ignored_events.add();
  }
  if (machine.isOver() && !call->bye_waits_for_ack) {
    table_.remove(ref);
  }
}

// False: something has thrown, in the machine or in carrying out an action. The actions after it are carried out all the same.
bool Calls::handle(CallRef ref, Call& call, call::Event event, const sofia::Body& body) {
  bool is_well = true;
  const auto guarded = [&](const auto& work) {
    try {
      work();
      return true;
    } catch (const std::exception& error) {
      telemetry::error("exception in a step of a call", {{"call_id", call.machine.id().text()}, {"error", std::string_view(error.what())}});
    }
    return false;
  };
  actions_.clear();
  body_ = &body;
  is_well = guarded([&] { call.machine.handle(std::move(event), moment(), actions_); });
  for (const auto& action : actions_) {
    const auto carryOut = [&] { std::visit([&](const auto& concrete) { perform(ref, call, concrete); }, action); };
    const bool is_done = guarded(carryOut);
    if (!is_done && std::holds_alternative<call::Publish>(action) && !guarded(carryOut)) {  // a record is worth a second try
      parts_.metrics.records_lost.add();
    }
    is_well = is_well && is_done;
  }
  body_ = nullptr;
  return is_well;
}

call::Moment Calls::moment() const {
  const auto& clock = parts_.loop.clock();
  return {clock.wall(), clock.monotonic()};
}

}  // namespace tollgate::ingress
