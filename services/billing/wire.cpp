#include "services/billing/wire.hpp"

namespace tollgate::billing {

common::v1::Refusal refusal(base::Reason reason, std::string detail) {
  return wire::toWire(base::Refusal{reason, std::move(detail)});
}

common::v1::TraceStep traceStep(std::string check, std::string found, bool passed) {
  return wire::toWire(base::TraceStep{"billing", std::move(check), std::move(found), passed});
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
