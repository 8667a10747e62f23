#include "services/billing/records/cdr_rows.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "libs/base/limits.hpp"
#include "libs/base/reason.hpp"
#include "services/billing/accounts/ledger.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

sql::Value idOrNull(std::int64_t id) {
  return id == 0 ? sql::Value(nullptr) : sql::Value(id);
}

sql::Value timeOrNull(bool given, const google::protobuf::Timestamp& time) {
  return given ? sql::fromTime(fromWire(time)) : sql::Value(nullptr);
}

std::int64_t milliseconds(const google::protobuf::Duration& duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(fromWire(duration)).count();
}

std::string reasonWord(common::v1::Reason reason) {
  return std::string(base::reasonRow(base::reasonFromNumber(reason)).word);
}

const char* endedByWord(call::v1::EndedBy ended_by) {
  switch (ended_by) {
    case call::v1::ENDED_BY_CALLER:
      return "caller";
    case call::v1::ENDED_BY_CARRIER:
      return "carrier";
    case call::v1::ENDED_BY_OPERATOR:
      return "operator";
    default:
      return "tollgate";
  }
}

void addRates(const call::v1::CallRecord& record, SqlRow& row) {
  if (record.has_rate()) {
    const common::v1::Rate& rate = record.rate();
    row.insert(row.end(), {idOrNull(rate.rate_id()), fit(rate.prefix(), 15), rate.per_minute_micros(), rate.connection_fee_micros(),
                           std::int64_t{rate.connection_seconds()}, std::int64_t{rate.billing_block_seconds()}});
  } else {
    row.insert(row.end(), 6, sql::Value(nullptr));
  }
  if (record.has_vendor_rate()) {
    const common::v1::Rate& rate = record.vendor_rate();
    row.insert(row.end(), {idOrNull(rate.rate_id()), fit(rate.prefix(), 15), rate.per_minute_micros()});
  } else {
    row.insert(row.end(), 3, sql::Value(nullptr));
  }
}

}  // namespace

const char* const kCdrHead =
    "cdrs (call_id, ingress_sip_call_id, egress_sip_call_id, instance, setup_at, ringing_at, answered_at, ended_at, caller_in, called_in, "
    "caller_out, called_out, called_rated, customer_id, trunk_id, source_address, source_port, source_row_id, carrier_customer_id, "
    "carrier_trunk_id, endpoint_id, endpoint, rule_id, rule_code, dialpeer_id, rate_id, rate_prefix, rate_per_minute_micros, "
    "rate_connection_fee_micros, rate_connection_seconds, rate_billing_block_seconds, vendor_rate_id, vendor_rate_prefix, "
    "vendor_rate_per_minute_micros, talked_ms, talked_seconds, billed_seconds, currency, charge_micros, cost_micros, margin_micros, "
    "pdd_ms, "
    "final_code, q850_cause, reason, ended_by, ended_by_user, attempts)";
const char* const kAttemptHead =
    "cdr_attempts (call_id, number, trunk_id, endpoint_id, endpoint, started_at, lasted_ms, final_code, ended_because, skipped, detail)";
const char* const kTraceHead = "cdr_traces (call_id, trace)";

SqlRow cdrRow(const FinishedCall& call, const Price& price) {
  const call::v1::CallRecord& record = call.record;
  // A record without times (an instance lost before it told any) is dated by its record.
  const auto& fallback = call.header.at();
  SqlRow row{call.header.call_id(),
             fit(record.ingress_sip_call_id(), 255),
             fit(record.egress_sip_call_id(), 255),
             fit(call.header.instance(), 64),
             sql::fromTime(fromWire(record.has_setup_at() ? record.setup_at() : fallback)),
             timeOrNull(record.has_ringing_at(), record.ringing_at()),
             timeOrNull(record.has_answered_at(), record.answered_at()),
             sql::fromTime(fromWire(record.has_ended_at() ? record.ended_at() : fallback)),
             fit(record.caller_in(), 64),
             fit(record.called_in(), 64),
             fit(record.caller_out(), 64),
             fit(record.called_out(), 64),
             fit(record.called_rated(), 64),
             idOrNull(record.customer_id()),
             idOrNull(record.trunk_id()),
             fit(record.source_address(), 45),
             std::int64_t{record.source_port()},
             idOrNull(record.source_row_id()),
             idOrNull(record.carrier_customer_id()),
             idOrNull(record.carrier_trunk_id()),
             idOrNull(record.endpoint_id()),
             fit(record.endpoint(), 64),
             idOrNull(record.rule_id()),
             fit(record.rule_code(), 15),
             idOrNull(record.dialpeer_id())};
  addRates(record, row);
  row.insert(row.end(),
             {price.talked_ms, price.talked_seconds, price.billed_seconds,
              price.currency.isSet() ? price.currency.text() : std::string("USD"), price.charge_micros, price.cost_micros,
              price.margin_micros, record.has_pdd() ? sql::Value(milliseconds(record.pdd())) : sql::Value(nullptr),
              std::int64_t{record.final_code()}, std::int64_t{record.q850_cause()}, reasonWord(record.reason()),
              std::string(endedByWord(record.ended_by())), fit(record.ended_by_user(), 128), std::int64_t{record.attempts_size()}});
  return row;
}

std::vector<SqlRow> attemptRows(const FinishedCall& call) {
  std::vector<SqlRow> rows;
  std::set<std::uint32_t> numbers;
  for (const call::v1::Attempt& attempt : call.record.attempts()) {
    if (rows.size() == base::limits::kAttemptsMax || !numbers.insert(attempt.number()).second) {
      continue;
    }
    rows.push_back({call.header.call_id(), std::int64_t{attempt.number()}, attempt.trunk_id(), idOrNull(attempt.endpoint_id()),
                    fit(attempt.endpoint(), 64), timeOrNull(attempt.has_started_at(), attempt.started_at()), milliseconds(attempt.lasted()),
                    std::int64_t{attempt.final_code()}, fit(attempt.ended_because(), 32),
                    attempt.skipped() == common::v1::REASON_UNSPECIFIED ? std::string() : reasonWord(attempt.skipped()),
                    fit(attempt.detail(), 255)});
  }
  return rows;
}

SqlRow traceRow(const FinishedCall& call) {
  nlohmann::json trace = nlohmann::json::array();
  for (const common::v1::TraceStep& step : call.record.trace()) {
    trace.push_back({{"stage", step.stage()}, {"check", step.check()}, {"found", step.found()}, {"passed", step.passed()}});
  }
  return {call.header.call_id(), trace.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)};
}

}  // namespace tollgate::billing
