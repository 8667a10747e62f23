#include "libs/wire/wire.hpp"

#include <utility>

namespace tollgate::wire {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Timestamp and Duration have the same two fields. A Timestamp's nanos are never negative, a Duration's have the sign of its seconds.
template <class Wire>
microseconds sinceZero(const Wire& wire) {
  return seconds(wire.seconds()) + std::chrono::duration_cast<microseconds>(nanoseconds(wire.nanos()));
}

template <class Wire>
Wire split(microseconds time, seconds whole) {
  Wire wire;
  wire.set_seconds(whole.count());
  wire.set_nanos(static_cast<std::int32_t>(nanoseconds(time - whole).count()));
  return wire;
}

}  // namespace

base::WallTime fromWire(const google::protobuf::Timestamp& time) {
  return base::WallTime(sinceZero(time));
}

google::protobuf::Timestamp toWire(base::WallTime time) {
  return split<google::protobuf::Timestamp>(time.time_since_epoch(), std::chrono::floor<seconds>(time.time_since_epoch()));
}

microseconds fromWire(const google::protobuf::Duration& duration) {
  return sinceZero(duration);
}

google::protobuf::Duration toWire(microseconds duration) {
  return split<google::protobuf::Duration>(duration, std::chrono::duration_cast<seconds>(duration));
}

base::Reason fromWire(common::v1::Reason reason) {
  return base::reasonFromNumber(reason);
}

common::v1::Reason toWire(base::Reason reason) {
  return static_cast<common::v1::Reason>(reason);  // same numbers: wire_test
}

std::optional<base::Transport> fromWire(common::v1::Transport transport) {
  if (transport == common::v1::TRANSPORT_UNSPECIFIED) {
    return base::Transport::kUdp;
  }
  const bool is_known = transport > 0 && transport <= static_cast<int>(base::kLastTransport);
  return is_known ? std::optional(static_cast<base::Transport>(transport)) : std::nullopt;
}

common::v1::Transport toWire(base::Transport transport) {
  return static_cast<common::v1::Transport>(transport);
}

base::CodecSet fromWire(const google::protobuf::RepeatedField<int>& codecs) {
  base::CodecSet set;
  for (const int codec : codecs) {
    if (codec > 0 && codec <= static_cast<int>(base::kLastCodec)) {
      set.add(static_cast<base::Codec>(codec));
    }
  }
  return set;
}

void addCodecs(base::CodecSet codecs, google::protobuf::RepeatedField<int>& to) {
  for (const base::Codec codec : base::kCodecs) {
    if (codecs.has(codec)) {
      to.Add(static_cast<int>(codec));
    }
  }
}

common::v1::Refusal toWire(const base::Refusal& refusal) {
  common::v1::Refusal wire;
  wire.set_reason(toWire(refusal.reason));
  wire.set_detail(refusal.detail);
  return wire;
}

common::v1::TraceStep toWire(const base::TraceStep& step) {
  common::v1::TraceStep wire;
  wire.set_stage(step.stage);
  wire.set_check(step.check);
  wire.set_found(step.found);
  wire.set_passed(step.passed);
  return wire;
}

void addTrace(const std::vector<base::TraceStep>& trace, TraceField& to) {
  to.Reserve(to.size() + static_cast<int>(trace.size()));
  for (const auto& step : trace) {
    *to.Add() = toWire(step);
  }
}

std::vector<base::TraceStep> takeTrace(TraceField& from) {
  std::vector<base::TraceStep> trace;
  trace.reserve(static_cast<std::size_t>(from.size()));
  for (auto& step : from) {
    trace.push_back({std::move(*step.mutable_stage()), std::move(*step.mutable_check()), std::move(*step.mutable_found()), step.passed()});
  }
  return trace;
}

money::Rate fromWire(const common::v1::Rate& rate) {
  money::Rate own;
  own.plan = base::RatePlanId(rate.plan_id());
  own.id = base::RateId(rate.rate_id());
  own.prefix = rate.prefix();
  own.currency = money::Currency::parse(rate.currency()).value_or(money::Currency());
  own.per_minute_micros = rate.per_minute_micros();
  own.connection_fee_micros = rate.connection_fee_micros();
  own.connection_seconds = rate.connection_seconds();
  own.billing_block_seconds = rate.billing_block_seconds();
  return own;
}

common::v1::Rate toWire(const money::Rate& rate) {
  common::v1::Rate wire;
  wire.set_plan_id(rate.plan.value());
  wire.set_rate_id(rate.id.value());
  wire.set_prefix(rate.prefix);
  wire.set_currency(rate.currency.text());
  wire.set_per_minute_micros(rate.per_minute_micros);
  wire.set_connection_fee_micros(rate.connection_fee_micros);
  wire.set_connection_seconds(static_cast<std::uint32_t>(rate.connection_seconds));
  wire.set_billing_block_seconds(static_cast<std::uint32_t>(rate.billing_block_seconds));
  return wire;
}

}  // namespace tollgate::wire
