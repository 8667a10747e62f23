#include "services/ingress/records/event_publisher.hpp"

#include <utility>

#include "libs/base/ids.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/wire/wire.hpp"
#include "services/ingress/wire.hpp"

namespace tollgate::ingress {
namespace {

std::string messageId(std::string_view call_id, std::uint32_t sequence) {
  std::string id;
  id.reserve(call_id.size() + 4);
  id += call_id;
  id += '.';
  id += std::to_string(sequence);
  return id;
}

}  // namespace

EventPublisher::EventPublisher(bus::Connection& events, StoreRecord store, Ended ended, std::string instance, IngressMetrics& metrics)
    : events_(events), store_(std::move(store)), ended_(std::move(ended)), instance_(std::move(instance)), metrics_(metrics) {}

void EventPublisher::publish(const call::CallMachine& machine, const call::Publish& action, base::WallTime at) {
  switch (action.event) {
    case call::Published::kStarted:
      publishStarted(machine, action, at);
      break;
    case call::Published::kRouted:
      publishRouted(machine, action, at);
      break;
    case call::Published::kAttempted:
      publishAttempted(machine, action, at);
      break;
    case call::Published::kRinging:
      publishRinging(machine, action, at);
      break;
    case call::Published::kAnswered:
      storeRecord(answered_, "answered", machine, action, at);
      break;
    case call::Published::kEnded:
      storeRecord(ended_message_, "ended", machine, action, at);
      break;
    case call::Published::kRejected:
      storeRecord(rejected_, "rejected", machine, action, at);
      break;
  }
}

void EventPublisher::fillHeader(call::v1::EventHeader& header, const call::CallMachine& machine, const call::Publish& action,
                                base::WallTime at) {
  header.set_call_id(machine.id().text());
  header.set_sequence(action.sequence);
  header.set_instance(instance_);
  *header.mutable_at() = wire::toWire(at);
}

void EventPublisher::publishStarted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at) {
  const auto& record = machine.record();
  started_.Clear();
  fillHeader(*started_.mutable_header(), machine, action, at);
  started_.set_source_address(record.source_address);
  started_.set_caller(record.caller);
  started_.set_called(record.called_rated);
  started_.set_customer_id(record.customer.value());
  started_.set_trunk_id(record.trunk.value());
  send("started", record.trunk, started_);
}

void EventPublisher::publishRouted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at) {
  const auto& record = machine.record();
  routed_.Clear();
  fillHeader(*routed_.mutable_header(), machine, action, at);
  routed_.set_customer_id(record.customer.value());
  routed_.set_trunk_id(record.trunk.value());
  routed_.set_rule_id(record.rule.value());
  for (const auto& candidate : machine.candidates()) {
    routed_.add_candidate_trunk_ids(candidate.trunk.value());
  }
  send("routed", record.trunk, routed_);
}

void EventPublisher::publishAttempted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at) {
  const auto& record = machine.record();
  const auto& attempt = record.attempts[action.attempt];
  metrics_.attempted(attempt.end);
  attempted_.Clear();
  fillHeader(*attempted_.mutable_header(), machine, action, at);
  attempted_.set_customer_id(record.customer.value());
  attempted_.set_trunk_id(record.trunk.value());
  fillAttempt(*attempted_.mutable_attempt(), attempt);
  send("attempted", record.trunk, attempted_);
}

void EventPublisher::publishRinging(const call::CallMachine& machine, const call::Publish& action, base::WallTime at) {
  const auto& record = machine.record();
  ringing_.Clear();
  fillHeader(*ringing_.mutable_header(), machine, action, at);
  ringing_.set_customer_id(record.customer.value());
  ringing_.set_trunk_id(record.trunk.value());
  ringing_.set_carrier_trunk_id(record.carrier_trunk.value());
  ringing_.set_early_media(machine.hasEarlyMedia());
  send("ringing", record.trunk, ringing_);
}

template <class Message>
void EventPublisher::storeRecord(Message& message, std::string_view verb, const call::CallMachine& machine, const call::Publish& action,
                                 base::WallTime at) {
  message.Clear();
  fillHeader(*message.mutable_header(), machine, action, at);
  fillRecord(*message.mutable_record(), machine.record());
  auto id = messageId(machine.id().text(), action.sequence);
  const bool is_last = action.event != call::Published::kAnswered;
  if (is_last) {
    metrics_.callEnded(machine.record().reason);
    logCall(machine);
    ended_(machine, id);
  }
  store_(bus::subjects::callEvent(verb, machine.record().trunk), std::move(id), message.SerializeAsString());
}

void EventPublisher::publishUnknownSources(const std::vector<UnknownSourceCount>& unknown_sources, base::WallTime at,
                                           base::Random& random) {
  const auto wall_milliseconds = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const auto id = base::CallId::make(wall_milliseconds, random);
  call::v1::UnknownSources message;
  auto& header = *message.mutable_header();
  header.set_call_id(id.text());
  header.set_sequence(1);
  header.set_instance(instance_);
  *header.mutable_at() = wire::toWire(at);
  for (const auto& unknown_source : unknown_sources) {
    auto& source = *message.add_sources();
    source.set_address(unknown_source.address);
    source.set_messages(unknown_source.messages);
    source.set_reason(wire::toWire(unknown_source.reason));
    *source.mutable_first_at() = wire::toWire(unknown_source.first_at);
    *source.mutable_last_at() = wire::toWire(unknown_source.last_at);
  }
  store_(bus::subjects::callEvent("unknown_sources", base::TrunkId()), messageId(id.text(), 1), message.SerializeAsString());
}

void EventPublisher::send(std::string_view verb, base::TrunkId trunk, const google::protobuf::MessageLite& message) {
  buffer_.clear();
  message.AppendToString(&buffer_);
  if (!events_.publish(bus::subjects::callEvent(verb, trunk), buffer_)) {
    metrics_.events_lost.add();
  }
}

}  // namespace tollgate::ingress
