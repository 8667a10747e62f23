// The columns of libs/cdr against the migrated tables, and against what the API answers and documents.
#include <map>
#include <set>

#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"
#include "libs/cdr/columns.hpp"
#include "tests/component/admin_api_world.hpp"

namespace tollgate::admin_api {
namespace {

using cdr::Type;
using nlohmann::json;

std::string typeText(Type type, std::size_t length, bool nullable) {
  const std::string types[] = {"text " + std::to_string(length), "integer", "micros", "time"};
  return types[static_cast<std::size_t>(type)] + (nullable ? " or null" : "");
}

// name -> type, as the list of columns says.
template <class Source>
std::map<std::string, std::string> declared(const cdr::Table<Source>& table) {
  std::map<std::string, std::string> columns;
  for (const auto& column : table.columns) {
    columns[column.name] = typeText(column.type, column.length, column.nullable);
  }
  EXPECT_EQ(columns.size(), table.columns.size()) << "a name occurs twice";
  return columns;
}

// The same as the database says.
std::map<std::string, std::string> migrated(const sql::Rows& rows) {
  const std::map<std::string, Type> types{
      {"char", Type::kText}, {"varchar", Type::kText}, {"int", Type::kInteger}, {"bigint", Type::kInteger}, {"datetime", Type::kTime}};
  std::map<std::string, std::string> columns;
  for (const auto& row : rows) {
    const auto& name = row.text(0);
    const Type type = name.ends_with("_micros") && row.text(1) == "bigint" ? Type::kMicros : types.at(row.text(1));
    columns[name] = typeText(type, static_cast<std::size_t>(row.integer(3)), row.text(2) == "YES");
  }
  return columns;
}

// A record with a value in every field that becomes a column.
cdr::FinishedCall fullCall() {
  static base::SystemRandom random;
  cdr::FinishedCall call;
  call.header.set_call_id(base::CallId::make(1'700'000'000'000, random).text());
  call.header.set_instance("ingress-1");
  call.header.mutable_at()->set_seconds(1'700'000'001);
  auto& record = call.record;
  for (auto* time : {record.mutable_setup_at(), record.mutable_ringing_at(), record.mutable_answered_at(), record.mutable_ended_at()}) {
    time->set_seconds(1'700'000'000);
  }
  for (auto* rate : {record.mutable_rate(), record.mutable_vendor_rate()}) {
    rate->set_rate_id(3);
    rate->set_prefix("374");
    rate->set_per_minute_micros(60'000);
    rate->set_connection_fee_micros(1'500);
    rate->set_connection_seconds(30);
    rate->set_billing_block_seconds(6);
  }
  const auto* about = record.GetDescriptor();
  for (int i = 0; i < about->field_count(); ++i) {
    const auto* field = about->field(i);
    if (field->is_repeated()) {
      continue;
    }
    switch (field->cpp_type()) {
      case google::protobuf::FieldDescriptor::CPPTYPE_STRING:
        record.GetReflection()->SetString(&record, field, "text " + std::to_string(i));
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_INT64:
        record.GetReflection()->SetInt64(&record, field, 100 + i);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT32:
        record.GetReflection()->SetUInt32(&record, field, static_cast<std::uint32_t>(100 + i));
        break;
      default:
        break;
    }
  }
  record.mutable_pdd()->set_seconds(2);
  record.set_source_transport(common::v1::TRANSPORT_UDP);
  record.set_reason(common::v1::REASON_NORMAL);
  record.set_ended_by(call::v1::ENDED_BY_CALLER);
  auto& attempt = *record.add_attempts();
  attempt.set_number(1);
  attempt.set_trunk_id(9);
  attempt.set_endpoint_id(8);
  attempt.set_endpoint("192.0.2.1:5060");
  attempt.mutable_started_at()->set_seconds(1'700'000'000);
  attempt.set_ended_because("answered");
  attempt.set_skipped(common::v1::REASON_CONCURRENT_LIMIT);
  attempt.set_detail("detail");
  return call;
}

// What the column's cell is in JSON.
json shown(Type type, const sql::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return type == Type::kMicros ? json(money::formatDecimal(*number)) : json(*number);
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return nullptr;
  }
  const auto time = type == Type::kTime ? sql::toTime(value) : base::Result<base::WallTime>();
  return type == Type::kTime ? json(base::formatRfc3339(*time)) : json(*text);
}

// Compares one document of the API with the row it was made from, and with its schema. Properties that are no column are given.
template <class Source>
void expectShown(const cdr::Table<Source>& table, const Source& source, const json& document, const json& schema,
                 std::set<std::string> others = {}) {
  const auto row = table.row(source);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& column = table.columns[i];
    if (column.internal) {
      continue;
    }
    const auto name = column.publicName();
    EXPECT_FALSE(std::holds_alternative<std::nullptr_t>(row[i])) << name << ": the test gives it no value";
    EXPECT_EQ(document.value(name, json("absent")), shown(column.type, row[i])) << name;
    const std::string type = column.type == Type::kInteger ? "integer" : "string";
    EXPECT_EQ(schema["properties"][name]["type"], column.nullable ? json({type, "null"}) : json(type)) << name;
    EXPECT_EQ(schema["properties"][name].value("format", ""), column.type == Type::kTime ? "date-time" : "") << name;
    others.insert(name);
  }
  for (const auto* properties : {&document, &schema["properties"]}) {
    for (const auto& [name, value] : properties->items()) {
      EXPECT_TRUE(others.contains(name)) << name << " is no column";
    }
  }
}

template <class Source>
void insert(const cdr::Table<Source>& table, const Source& source,
            const std::function<void(std::string, std::vector<sql::Value>)>& execute) {
  std::string marks = "?";
  for (std::size_t i = 1; i < table.columns.size(); ++i) {
    marks += ",?";
  }
  execute("INSERT INTO " + table.insertHead() + " VALUES (" + marks + ")", table.row(source));
}

TEST_F(AdminApi, TheColumnsOfCdrsAreThoseOfTheMigratedTables) {
  const std::string select =
      "SELECT column_name, data_type, is_nullable, CASE WHEN data_type IN ('char', 'varchar') THEN character_maximum_length ELSE 0 END "
      "FROM "
      "information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?";
  EXPECT_EQ(declared(cdr::cdrs()), migrated(query(select, {cdr::cdrs().name})));
  EXPECT_EQ(declared(cdr::attempts()), migrated(query(select, {cdr::attempts().name})));
}

// REQUIREMENTS 10.1: every column is written, shown and documented.
TEST_F(AdminApi, ACdrIsShownAndDocumentedColumnByColumn) {
  const auto call = fullCall();
  const cdr::Price price{12'000, 12, 30, 13'000, 6'000, 7'000, money::Currency::parse("EUR").value()};
  const auto run = [](const std::string& statement, const std::vector<sql::Value>& values) { execute(statement, values); };
  insert<cdr::Cdr>(cdr::cdrs(), {call, price, 2}, run);
  insert<cdr::CdrAttempt>(cdr::attempts(), {call, call.record.attempts(0)}, run);
  const auto schemas = get("/v1/openapi.json").body["components"]["schemas"];
  const auto document = get("/v1/cdrs/" + call.header.call_id()).body;
  expectShown<cdr::Cdr>(cdr::cdrs(), {call, price, 2}, document, schemas["Cdr"], {"attempts", "trace"});
  ASSERT_EQ(document["attempts"].size(), 1U);
  expectShown<cdr::CdrAttempt>(cdr::attempts(), {call, call.record.attempts(0)}, document["attempts"][0], schemas["CdrAttempt"]);
}

}  // namespace
}  // namespace tollgate::admin_api
