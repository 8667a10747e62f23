#include "services/admin_api/operations/messages.hpp"

#include "libs/wire/wire.hpp"

namespace tollgate::admin_api {

Json timeJson(const google::protobuf::Timestamp& time) {
  return base::formatRfc3339(wire::fromWire(time));
}

Json rateJson(const common::v1::Rate& rate) {
  return {{"plan_id", rate.plan_id()},
          {"rate_id", rate.rate_id()},
          {"prefix", rate.prefix()},
          {"currency", rate.currency()},
          {"rate_per_minute", moneyText(rate.per_minute_micros())},
          {"connection_fee", moneyText(rate.connection_fee_micros())},
          {"connection_seconds", rate.connection_seconds()},
          {"billing_block_seconds", rate.billing_block_seconds()}};
}

Json traceJson(const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& trace) {
  Json steps = Json::array();
  for (const auto& step : trace) {
    steps.push_back({{"stage", step.stage()}, {"check", step.check()}, {"found", step.found()}, {"passed", step.passed()}});
  }
  return steps;
}

}  // namespace tollgate::admin_api
