// Call detail records (REQUIREMENTS 10.1) with attempts and decision trace (REQUIREMENTS 10.3). Read only: billing writes them.
#include "libs/base/ids.hpp"
#include "libs/base/reason.hpp"
#include "libs/cdr/columns.hpp"
#include "libs/cdr/days.hpp"
#include "libs/cdr/trace.hpp"
#include "libs/telemetry/log.hpp"
#include "services/admin_api/operations/listing.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

Kind kindOf(cdr::Type type) {
  switch (type) {
    case cdr::Type::kText:
      return Kind::kText;
    case cdr::Type::kInteger:
      return Kind::kInteger;
    case cdr::Type::kMicros:
      return Kind::kMoney;
    case cdr::Type::kTime:
      return Kind::kTime;
  }
  return Kind::kText;
}

// The columns that are shown, as fields of this API. They are read only, so name, column, kind and nullability are all that matters.
template <class Source>
std::vector<Field> fieldsOf(const cdr::Table<Source>& table) {
  std::vector<Field> fields;
  for (const auto& column : table.columns) {
    if (!column.internal) {
      fields.push_back({.name = column.publicName(), .column = column.name, .kind = kindOf(column.type), .nullable = column.nullable});
    }
  }
  return fields;
}

const std::vector<Field>& cdrFields() {
  static const std::vector<Field> kFields = fieldsOf(cdr::cdrs());
  return kFields;
}

const std::vector<Field>& attemptFields() {
  static const std::vector<Field> kFields = fieldsOf(cdr::attempts());
  return kFields;
}

Outcome<void> addTimes(const Call& call, std::vector<Condition>& conditions) {
  // An id is made a moment before or after setup_at is taken; the span of ids is wider by this much.
  constexpr auto kSlack = std::chrono::minutes(1);
  for (const bool is_from : {true, false}) {
    const std::string name = is_from ? "from" : "to";
    const auto text = call.query(name);
    if (text.empty()) {
      continue;
    }
    const auto time = parseTime(text);
    if (!time) {
      return refuse(400, "must be a time like 2026-01-31T00:00:00Z", name, "11.1");
    }
    conditions.push_back({is_from ? "setup_at >= ?" : "setup_at < ?", {sql::fromTime(*time)}});
    // Ids carry their set-up time, so a span of time is a span of the primary key, and of its partitions.
    conditions.push_back({is_from ? "call_id >= ?" : "call_id < ?", {cdr::firstIdOf(is_from ? *time - kSlack : *time + kSlack)}});
  }
  return {};
}

Outcome<void> addIds(const Call& call, std::vector<Condition>& conditions) {
  constexpr std::pair<const char*, const char*> kColumns[] = {
      {"customer", "customer_id"}, {"trunk", "trunk_id"}, {"carrier", "carrier_trunk_id"}};
  for (const auto& [name, column] : kColumns) {
    TG_PASS_ASSIGN(id, call.queryInteger(name, 0, 1, INT64_MAX));
    if (id != 0) {
      conditions.push_back({std::string(column) + " = ?", {id}});
    }
  }
  return {};
}

Outcome<std::vector<Condition>> readConditions(const Call& call) {
  std::vector<Condition> conditions;
  TG_PASS(addTimes(call, conditions));
  TG_PASS(addIds(call, conditions));
  const auto number = call.query("number");
  if (!number.empty()) {
    if (number.size() > base::limits::kDigitsMax || number.find_first_not_of("0123456789+") != std::string::npos) {
      return refuse(400, "must be digits, a + before them allowed", "number", "11.1");
    }
    const sql::Value start = number + "%";
    conditions.push_back({"(called_rated LIKE ? OR called_in LIKE ? OR caller_in LIKE ?)", {start, start, start}});
  }
  const auto reason = call.query("reason");
  if (!reason.empty()) {
    if (!base::reasonFromWord(reason)) {
      return refuse(400, "is not a reason of the reject map", "reason", "7");
    }
    conditions.push_back({"reason = ?", {reason}});
  }
  return conditions;
}

Outcome<http::Response> listCdrs(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(conditions, readConditions(call));
  return listRows(backend, call, {cdrFields(), cdr::cdrs().name, "call_id"}, std::move(conditions));
}

base::Result<Json> loadCdr(sql::Session& session, const std::string& id) {
  const auto select = [&session, &id](const std::vector<Field>& fields, const std::string& table, const std::string& order) {
    return selectPage(session, columnsOf(fields), table, {{{"call_id = ?", {id}}}, order, base::limits::kAttemptsMax});
  };
  TG_TRY_ASSIGN(rows, select(cdrFields(), cdr::cdrs().name, "call_id"));
  if (rows.empty()) {
    return base::fail(base::ErrorCode::kNotFound, "there is no CDR of call " + id);
  }
  auto document = Json::object();
  addFromSql(cdrFields(), rows[0], 0, document);
  document["attempts"] = Json::array();
  TG_TRY_ASSIGN(attempts, select(attemptFields(), cdr::attempts().name, "number"));
  for (const auto& attempt : attempts) {
    addFromSql(attemptFields(), attempt, 0, document["attempts"].emplace_back(Json::object()));
  }
  TG_TRY_ASSIGN(traces, session.query("SELECT trace FROM cdr_traces WHERE call_id = ?", {id}));
  document["trace"] = Json::array();
  if (!traces.empty()) {
    const auto steps = cdr::unpackTrace(traces[0].text(0));
    if (!steps) {
      telemetry::error("a stored trace cannot be read", {{"call_id", id}, {"error", std::string_view(steps.error().message)}});
    }
    for (const auto& step : steps.value_or(std::vector<base::TraceStep>{})) {
      document["trace"].push_back({{"stage", step.stage}, {"check", step.check}, {"found", step.found}, {"passed", step.passed}});
    }
  }
  return document;
}

Outcome<http::Response> readCdr(Backend& backend, const Call& call) {
  const auto found = call.request.parameters.find("id");
  const auto id = found == call.request.parameters.end() ? base::CallId() : base::CallId::parse(found->second);
  if (!id.isSet()) {
    return refuse(400, "must be a call id", "id", "11.1");
  }
  TG_PASS_ASSIGN(document, backend.pool.use<Json>([&](sql::Session& session) { return loadCdr(session, id.text()); }));
  return jsonResponse(200, document);
}

}  // namespace

std::vector<Operation> cdrOperations(Backend& backend) {
  Operation listing{
      .method = "GET", .pattern = "/v1/cdrs", .id = "listCdrs", .tag = "cdr", .summary = "list call detail records, newest first"};
  const Json id_schema = {{"type", "integer"}, {"minimum", 1}};
  const Json time_schema = {{"type", "string"}, {"format", "date-time"}};
  const Json text_schema = {{"type", "string"}};
  listing.query = {limitParameter(),
                   cursorParameter(),
                   {"from", time_schema, "Set up at or after."},
                   {"to", time_schema, "Set up before."},
                   {"customer", id_schema, "Only calls of this customer."},
                   {"trunk", id_schema, "Only calls from this trunk."},
                   {"carrier", id_schema, "Only calls to this carrier trunk."},
                   {"number", text_schema, "Only calls whose called or calling number starts so."},
                   {"reason", text_schema, "Only calls with this reason word."}};
  listing.response_schema = "Cdr";
  listing.is_page = true;
  listing.answer = [&backend](const Call& call) { return listCdrs(backend, call); };
  Operation reading{.method = "GET",
                    .pattern = "/v1/cdrs/{id}",
                    .id = "readCdr",
                    .tag = "cdr",
                    .summary = "read a call detail record with its attempts and decision trace"};
  reading.response_schema = "Cdr";
  reading.answer = [&backend](const Call& call) { return readCdr(backend, call); };
  return {listing, reading};
}

Json cdrSchemas() {
  auto schema = shownSchema(cdrFields());
  schema["properties"]["attempts"] = {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/CdrAttempt"}}}};
  schema["properties"]["trace"] = {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/TraceStep"}}}};
  return {{"Cdr", schema}, {"CdrAttempt", shownSchema(attemptFields())}};
}

}  // namespace tollgate::admin_api
