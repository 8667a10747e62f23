#include "services/billing/wire.hpp"

namespace tollgate::billing {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

base::WallTime fromWire(const google::protobuf::Timestamp& time) {
  return base::WallTime(seconds(time.seconds()) + std::chrono::duration_cast<microseconds>(nanoseconds(time.nanos())));
}

google::protobuf::Timestamp toWire(base::WallTime time) {
  const auto whole = std::chrono::floor<seconds>(time.time_since_epoch());
  google::protobuf::Timestamp wire;
  wire.set_seconds(whole.count());
  wire.set_nanos(static_cast<std::int32_t>(nanoseconds(time.time_since_epoch() - whole).count()));
  return wire;
}

microseconds fromWire(const google::protobuf::Duration& duration) {
  return seconds(duration.seconds()) + std::chrono::duration_cast<microseconds>(nanoseconds(duration.nanos()));
}

google::protobuf::Duration durationToWire(microseconds duration) {
  const auto whole = std::chrono::duration_cast<seconds>(duration);
  google::protobuf::Duration wire;
  wire.set_seconds(whole.count());
  wire.set_nanos(static_cast<std::int32_t>(nanoseconds(duration - whole).count()));
  return wire;
}

money::Rate fromWire(const common::v1::Rate& rate) {
  money::Rate inner;
  inner.plan = base::RatePlanId(rate.plan_id());
  inner.id = base::RateId(rate.rate_id());
  inner.prefix = rate.prefix();
  inner.currency = money::Currency::parse(rate.currency()).value_or(money::Currency());
  inner.per_minute_micros = rate.per_minute_micros();
  inner.connection_fee_micros = rate.connection_fee_micros();
  inner.connection_seconds = rate.connection_seconds();
  inner.billing_block_seconds = rate.billing_block_seconds();
  return inner;
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

common::v1::Refusal refusal(base::Reason reason, std::string detail) {
  common::v1::Refusal wire;
  wire.set_reason(static_cast<common::v1::Reason>(reason));
  wire.set_detail(std::move(detail));
  return wire;
}

common::v1::TraceStep traceStep(std::string check, std::string found, bool passed) {
  common::v1::TraceStep step;
  step.set_stage("billing");
  step.set_check(std::move(check));
  step.set_found(std::move(found));
  step.set_passed(passed);
  return step;
}

std::string describe(const money::Rate& rate) {
  std::string text = money::formatDecimal(rate.per_minute_micros) + " " + rate.currency.text() + " per minute";
  if (rate.connection_fee_micros != 0) {
    text += ", fee " + money::formatDecimal(rate.connection_fee_micros);
  }
  if (rate.connection_seconds != 0) {
    text += ", minimum " + std::to_string(rate.connection_seconds) + " s";
  }
  return text + ", block " + std::to_string(rate.billing_block_seconds) + " s";
}

}  // namespace tollgate::billing
