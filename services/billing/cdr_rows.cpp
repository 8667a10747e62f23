#include "services/billing/cdr_rows.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "libs/base/limits.hpp"
#include "libs/base/reason.hpp"
#include "services/billing/ledger.hpp"
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

void addRates(const call::v1::CallStory& story, SqlRow& row) {
  if (story.has_rate()) {
    const common::v1::Rate& rate = story.rate();
    row.insert(row.end(), {idOrNull(rate.rate_id()), fit(rate.prefix(), 15), rate.per_minute_micros(), rate.connection_fee_micros(),
                           std::int64_t{rate.connection_seconds()}, std::int64_t{rate.billing_block_seconds()}});
  } else {
    row.insert(row.end(), 6, sql::Value(nullptr));
  }
  if (story.has_vendor_rate()) {
    const common::v1::Rate& rate = story.vendor_rate();
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
  const call::v1::CallStory& story = call.story;
  // A story without times (an instance lost before it told any) is dated by its record.
  const auto& fallback = call.header.at();
  SqlRow row{call.header.call_id(),
             fit(story.ingress_sip_call_id(), 255),
             fit(story.egress_sip_call_id(), 255),
             fit(call.header.instance(), 64),
             sql::fromTime(fromWire(story.has_setup_at() ? story.setup_at() : fallback)),
             timeOrNull(story.has_ringing_at(), story.ringing_at()),
             timeOrNull(story.has_answered_at(), story.answered_at()),
             sql::fromTime(fromWire(story.has_ended_at() ? story.ended_at() : fallback)),
             fit(story.caller_in(), 64),
             fit(story.called_in(), 64),
             fit(story.caller_out(), 64),
             fit(story.called_out(), 64),
             fit(story.called_rated(), 64),
             idOrNull(story.customer_id()),
             idOrNull(story.trunk_id()),
             fit(story.source_address(), 45),
             std::int64_t{story.source_port()},
             idOrNull(story.source_row_id()),
             idOrNull(story.carrier_customer_id()),
             idOrNull(story.carrier_trunk_id()),
             idOrNull(story.endpoint_id()),
             fit(story.endpoint(), 64),
             idOrNull(story.rule_id()),
             fit(story.rule_code(), 15),
             idOrNull(story.dialpeer_id())};
  addRates(story, row);
  row.insert(row.end(), {price.talked_ms, price.talked_seconds, price.billed_seconds,
                         price.currency.isSet() ? price.currency.text() : std::string("USD"), price.charge_micros, price.cost_micros,
                         price.margin_micros, story.has_pdd() ? sql::Value(milliseconds(story.pdd())) : sql::Value(nullptr),
                         std::int64_t{story.final_code()}, std::int64_t{story.q850_cause()}, reasonWord(story.reason()),
                         std::string(endedByWord(story.ended_by())), fit(story.ended_by_user(), 128), std::int64_t{story.attempts_size()}});
  return row;
}

std::vector<SqlRow> attemptRows(const FinishedCall& call) {
  std::vector<SqlRow> rows;
  std::set<std::uint32_t> numbers;
  for (const call::v1::Attempt& attempt : call.story.attempts()) {
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
  for (const common::v1::TraceStep& step : call.story.trace()) {
    trace.push_back({{"room", step.room()}, {"check", step.check()}, {"found", step.found()}, {"passed", step.passed()}});
  }
  return {call.header.call_id(), trace.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)};
}

}  // namespace tollgate::billing
