#include "libs/cdr/columns.hpp"

#include <chrono>

#include "libs/base/reason.hpp"
#include "libs/wire/wire.hpp"
#include "libs/wire/words.hpp"

namespace tollgate::cdr {

namespace {

using call::v1::Attempt;
using call::v1::CallRecord;
using common::v1::Rate;
using google::protobuf::Duration;
using google::protobuf::Timestamp;

sql::Value timeValue(const Timestamp& time) {
  return sql::fromTime(wire::fromWire(time));
}

std::int64_t milliseconds(const Duration& duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wire::fromWire(duration)).count();
}

// Ids begin at 1; 0 is what Protobuf gives for one that is not set.
sql::Value idValue(std::int64_t id) {
  return id == 0 ? sql::Value(nullptr) : sql::Value(id);
}

std::string reasonWord(common::v1::Reason reason) {
  return std::string(base::reasonRow(base::reasonFromNumber(reason)).word);
}

std::string endedByWord(call::v1::EndedBy ended_by) {
  const std::string word = wire::wordOf(ended_by);
  return word.empty() ? "tollgate" : word;
}

// Columns of any source.
template <class Source, class Value>
Column<Source> text(const char* name, std::size_t length, Value value) {
  return {name, Type::kText, false, length, value};
}
template <class Source, class Value>
Column<Source> integer(const char* name, Value value) {
  return {name, Type::kInteger, false, 0, value};
}

// Columns of `cdrs` that are a field of the call's record.
Column<Cdr> text(const char* name, std::size_t length, const std::string& (CallRecord::*field)() const) {
  return text<Cdr>(name, length, [field](const Cdr& cdr) { return (cdr.call.record.*field)(); });
}
Column<Cdr> integer(const char* name, std::uint32_t (CallRecord::*field)() const) {
  return integer<Cdr>(name, [field](const Cdr& cdr) { return std::int64_t{(cdr.call.record.*field)()}; });
}
Column<Cdr> id(const char* name, std::int64_t (CallRecord::*field)() const) {
  return {name, Type::kInteger, true, 0, [field](const Cdr& cdr) { return idValue((cdr.call.record.*field)()); }};
}
Column<Cdr> time(const char* name, bool (CallRecord::*has)() const, const Timestamp& (CallRecord::*field)() const) {
  return {name, Type::kTime, true, 0,
          [has, field](const Cdr& cdr) { return (cdr.call.record.*has)() ? timeValue((cdr.call.record.*field)()) : sql::Value(nullptr); }};
}
// A record without this time (its instance was lost before it reported one) is dated by the event that carried it.
Column<Cdr> timeOrEvent(const char* name, bool (CallRecord::*has)() const, const Timestamp& (CallRecord::*field)() const) {
  return {name, Type::kTime, false, 0,
          [has, field](const Cdr& cdr) { return timeValue((cdr.call.record.*has)() ? (cdr.call.record.*field)() : cdr.call.header.at()); }};
}

// Columns of `cdrs` that are a field of a rate: NULL without that rate.
struct RateOf {
  bool (CallRecord::*has)() const;
  const Rate& (CallRecord::*rate)() const;
};
constexpr RateOf kCustomerRate{&CallRecord::has_rate, &CallRecord::rate};
constexpr RateOf kVendorRate{&CallRecord::has_vendor_rate, &CallRecord::vendor_rate};

template <class Value>
Column<Cdr> ofRate(const char* name, Type type, std::size_t length, RateOf of, Value value) {
  return {name, type, true, length, [of, value](const Cdr& cdr) {
            return (cdr.call.record.*of.has)() ? sql::Value(value((cdr.call.record.*of.rate)())) : sql::Value(nullptr);
          }};
}
Column<Cdr> rateId(const char* name, RateOf of) {
  return ofRate(name, Type::kInteger, 0, of, [](const Rate& rate) { return idValue(rate.rate_id()); });
}
Column<Cdr> ratePrefix(const char* name, RateOf of) {
  return ofRate(name, Type::kText, 15, of, [](const Rate& rate) { return rate.prefix(); });
}
Column<Cdr> rateMicros(const char* name, RateOf of, std::int64_t (Rate::*field)() const) {
  return ofRate(name, Type::kMicros, 0, of, [field](const Rate& rate) { return (rate.*field)(); });
}
Column<Cdr> rateSeconds(const char* name, RateOf of, std::uint32_t (Rate::*field)() const) {
  return ofRate(name, Type::kInteger, 0, of, [field](const Rate& rate) { return std::int64_t{(rate.*field)()}; });
}

// Columns of `cdrs` that are a field of its price.
Column<Cdr> price(const char* name, Type type, std::int64_t Price::*field) {
  return {name, type, false, 0, [field](const Cdr& cdr) { return cdr.price.*field; }};
}

std::string currencyOf(const Cdr& cdr) {
  // A call that was refused before it had a rate has no currency; its amounts are 0.
  return cdr.price.currency.isSet() ? cdr.price.currency.text() : "USD";
}

sql::Value pddOf(const Cdr& cdr) {
  return cdr.call.record.has_pdd() ? sql::Value(milliseconds(cdr.call.record.pdd())) : sql::Value(nullptr);
}

std::vector<Column<Cdr>> cdrColumns() {
  using R = CallRecord;
  return {
      text<Cdr>("call_id", 26, [](const Cdr& cdr) { return cdr.call.header.call_id(); }),
      text("ingress_sip_call_id", 255, &R::ingress_sip_call_id),
      text("egress_sip_call_id", 255, &R::egress_sip_call_id),
      text<Cdr>("instance", 64, [](const Cdr& cdr) { return cdr.call.header.instance(); }),
      timeOrEvent("setup_at", &R::has_setup_at, &R::setup_at),
      time("ringing_at", &R::has_ringing_at, &R::ringing_at),
      time("answered_at", &R::has_answered_at, &R::answered_at),
      timeOrEvent("ended_at", &R::has_ended_at, &R::ended_at),
      text("caller_in", 64, &R::caller_in),
      text("called_in", 64, &R::called_in),
      text("caller_out", 64, &R::caller_out),
      text("called_out", 64, &R::called_out),
      text("called_rated", 64, &R::called_rated),
      id("customer_id", &R::customer_id),
      id("trunk_id", &R::trunk_id),
      text("source_address", 45, &R::source_address),
      integer("source_port", &R::source_port),
      text<Cdr>("source_transport", 8, [](const Cdr& cdr) { return wire::wordOf(cdr.call.record.source_transport()); }),
      id("source_row_id", &R::source_row_id),
      id("carrier_customer_id", &R::carrier_customer_id),
      id("carrier_trunk_id", &R::carrier_trunk_id),
      id("endpoint_id", &R::endpoint_id),
      text("endpoint", 64, &R::endpoint),
      id("rule_id", &R::rule_id),
      text("rule_code", 15, &R::rule_code),
      id("dialpeer_id", &R::dialpeer_id),
      rateId("rate_id", kCustomerRate),
      ratePrefix("rate_prefix", kCustomerRate),
      rateMicros("rate_per_minute_micros", kCustomerRate, &Rate::per_minute_micros),
      rateMicros("rate_connection_fee_micros", kCustomerRate, &Rate::connection_fee_micros),
      rateSeconds("rate_connection_seconds", kCustomerRate, &Rate::connection_seconds),
      rateSeconds("rate_billing_block_seconds", kCustomerRate, &Rate::billing_block_seconds),
      rateId("vendor_rate_id", kVendorRate),
      ratePrefix("vendor_rate_prefix", kVendorRate),
      rateMicros("vendor_rate_per_minute_micros", kVendorRate, &Rate::per_minute_micros),
      rateMicros("vendor_rate_connection_fee_micros", kVendorRate, &Rate::connection_fee_micros),
      rateSeconds("vendor_rate_connection_seconds", kVendorRate, &Rate::connection_seconds),
      rateSeconds("vendor_rate_billing_block_seconds", kVendorRate, &Rate::billing_block_seconds),
      price("talked_ms", Type::kInteger, &Price::talked_ms),
      price("talked_seconds", Type::kInteger, &Price::talked_seconds),
      price("billed_seconds", Type::kInteger, &Price::billed_seconds),
      text<Cdr>("currency", 3, &currencyOf),
      price("charge_micros", Type::kMicros, &Price::charge_micros),
      price("cost_micros", Type::kMicros, &Price::cost_micros),
      price("margin_micros", Type::kMicros, &Price::margin_micros),
      {"pdd_ms", Type::kInteger, true, 0, &pddOf},
      integer("final_code", &R::final_code),
      integer("q850_cause", &R::q850_cause),
      text<Cdr>("reason", 32, [](const Cdr& cdr) { return reasonWord(cdr.call.record.reason()); }),
      text<Cdr>("ended_by", 16, [](const Cdr& cdr) { return endedByWord(cdr.call.record.ended_by()); }),
      text("ended_by_user", 128, &R::ended_by_user),
      integer<Cdr>("attempt_count", [](const Cdr& cdr) { return std::int64_t{cdr.call.record.attempts_size()}; }),
      {"recorded_at", Type::kTime, true, 0, [](const Cdr& cdr) { return timeValue(cdr.call.header.at()); }},
      integer<Cdr>("corrections", [](const Cdr& cdr) { return cdr.corrections; }),
  };
}

sql::Value startOf(const CdrAttempt& row) {
  return row.attempt.has_started_at() ? timeValue(row.attempt.started_at()) : sql::Value(nullptr);
}

std::string skippedOf(const CdrAttempt& row) {
  return row.attempt.skipped() == common::v1::REASON_UNSPECIFIED ? std::string() : reasonWord(row.attempt.skipped());
}

std::vector<Column<CdrAttempt>> attemptColumns() {
  using Row = CdrAttempt;
  return {
      {"call_id", Type::kText, false, 26, [](const Row& row) { return row.call.header.call_id(); }, true},
      integer<Row>("number", [](const Row& row) { return std::int64_t{row.attempt.number()}; }),
      integer<Row>("trunk_id", [](const Row& row) { return row.attempt.trunk_id(); }),
      {"endpoint_id", Type::kInteger, true, 0, [](const Row& row) { return idValue(row.attempt.endpoint_id()); }},
      text<Row>("endpoint", 64, [](const Row& row) { return row.attempt.endpoint(); }),
      {"started_at", Type::kTime, true, 0, &startOf},
      integer<Row>("lasted_ms", [](const Row& row) { return milliseconds(row.attempt.lasted()); }),
      integer<Row>("final_code", [](const Row& row) { return std::int64_t{row.attempt.final_code()}; }),
      text<Row>("ended_because", 32, [](const Row& row) { return row.attempt.ended_because(); }),
      text<Row>("skipped", 32, &skippedOf),
      text<Row>("detail", 255, [](const Row& row) { return row.attempt.detail(); }),
  };
}

}  // namespace

template <class Source>
std::string Column<Source>::publicName() const {
  constexpr std::string_view kSuffix = "_micros";
  return type == Type::kMicros ? name.substr(0, name.size() - kSuffix.size()) : name;
}

template <class Source>
std::string Table<Source>::names() const {
  std::string text;
  for (const Column<Source>& column : columns) {
    text += (text.empty() ? "" : ", ") + column.name;
  }
  return text;
}

template <class Source>
std::string Table<Source>::insertHead() const {
  return name + " (" + names() + ")";
}

template <class Source>
std::vector<sql::Value> Table<Source>::row(const Source& source) const {
  std::vector<sql::Value> values;
  values.reserve(columns.size());
  for (const Column<Source>& column : columns) {
    sql::Value value = column.value(source);
    if (auto* text = std::get_if<std::string>(&value); text != nullptr && column.type == Type::kText) {
      *text = sql::fit(*text, column.length);
    }
    values.push_back(std::move(value));
  }
  return values;
}

template struct Column<Cdr>;
template struct Column<CdrAttempt>;
template struct Table<Cdr>;
template struct Table<CdrAttempt>;

const Table<Cdr>& cdrs() {
  static const Table<Cdr> table{"cdrs", cdrColumns()};
  return table;
}

const Table<CdrAttempt>& attempts() {
  static const Table<CdrAttempt> table{"cdr_attempts", attemptColumns()};
  return table;
}

}  // namespace tollgate::cdr
