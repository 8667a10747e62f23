// Records that could not be stored for their own values (REQUIREMENTS 10.7): read from MySQL, replayed by billing.
#include <google/protobuf/util/json_util.h>

#include "services/admin_api/operations/listing.hpp"
#include "services/admin_api/operations/messages.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/store.hpp"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::admin_api {
namespace {

constexpr const char* kTable = "dead_letters";

const std::vector<Field>& letterFields() {
  static const std::vector<Field> kFields = {{.name = "id", .kind = Kind::kInteger},
                                             {.name = "stream_sequence", .kind = Kind::kInteger},
                                             {.name = "subject"},
                                             {.name = "error"},
                                             {.name = "at", .kind = Kind::kTime},
                                             {.name = "replayed_at", .kind = Kind::kTime, .nullable = true},
                                             {.name = "replayed_by"}};
  return kFields;
}

Outcome<std::vector<Condition>> readConditions(const Call& call) {
  const auto state = call.query("state");
  if (state.empty()) {
    return std::vector<Condition>{};
  }
  if (state != "waiting" && state != "replayed") {
    return refuse(400, "must be waiting or replayed", "state", "10.7");
  }
  return std::vector<Condition>{{state == "waiting" ? "replayed_at IS NULL" : "replayed_at IS NOT NULL", {}}};
}

Outcome<http::Response> listLetters(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(conditions, readConditions(call));
  return listRows(backend, call, {letterFields(), kTable, "id"}, std::move(conditions));
}

// What can be read of the record; `is_whole` is false when it breaks off or is no such message.
struct Decoded {
  Json record;
  bool is_whole = false;
};

template <class Message>
Decoded decodeAs(const std::string& data) {
  Message message;
  Decoded decoded;
  decoded.is_whole = message.ParseFromString(data);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    decoded.record = Json::parse(text, nullptr, false);
  }
  if (decoded.record.is_discarded() || decoded.record.empty()) {
    decoded.record = nullptr;
  }
  return decoded;
}

Decoded decode(const std::string& subject, const std::string& data) {
  const auto is = [&subject](std::string_view verb) { return subject.starts_with("tg.evt.call.v1." + std::string(verb) + "."); };
  if (is("ended")) {
    return decodeAs<call::v1::CallEnded>(data);
  }
  if (is("rejected")) {
    return decodeAs<call::v1::CallRejected>(data);
  }
  if (is("answered")) {
    return decodeAs<call::v1::CallAnswered>(data);
  }
  if (is("unknown_sources")) {
    return decodeAs<call::v1::UnknownSources>(data);
  }
  return {};
}

Outcome<http::Response> readLetter(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(id, call.id("id"));
  TG_PASS_ASSIGN(rows, backend.pool.use<sql::Rows>([&](sql::Session& session) {
    return session.query("SELECT " + columnsOf(letterFields()) + ", data_hex, UNHEX(data_hex) FROM " + kTable + " WHERE id = ?", {id});
  }));
  if (rows.empty()) {
    return notFound("there is no dead letter " + std::to_string(id));
  }
  const sql::Row& row = rows[0];
  auto document = Json::object();
  addFromSql(letterFields(), row, 0, document);
  const std::size_t columns = letterFields().size();
  document["data_hex"] = row.text(columns);
  auto decoded = decode(textOf(document, "subject"), row.text(columns + 1));
  document["record"] = std::move(decoded.record);
  document["is_whole"] = decoded.is_whole;
  return jsonResponse(200, document);
}

Outcome<http::Response> replayLetter(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(id, call.id("id"));
  billing::v1::ReplayDeadLetterRequest request;
  request.set_id(id);
  request.set_author(call.author);
  TG_PASS_ASSIGN(reply, backend.ask<billing::v1::Billing::ReplayDeadLetter>(request));
  return jsonResponse(
      200,
      {{"id", id}, {"replayed_at", timeJson(reply.replayed_at())}, {"replayed_by", reply.replayed_by()}, {"existed", reply.existed()}});
}

}  // namespace

std::vector<Operation> deadLetterOperations(Backend& backend) {
  Operation listing{.method = "GET",
                    .pattern = "/v1/dead-records",
                    .id = "listDeadLetters",
                    .tag = "dead letter",
                    .summary = "list records that could not be stored for their own values, newest first"};
  listing.query = {limitParameter(),
                   cursorParameter(),
                   {"state", {{"type", "string"}, {"enum", {"waiting", "replayed"}}}, "Only letters in this state."}};
  listing.response_schema = "DeadLetter";
  listing.is_page = true;
  listing.answer = [&backend](const Call& call) { return listLetters(backend, call); };
  Operation reading{.method = "GET",
                    .pattern = "/v1/dead-records/{id}",
                    .id = "readDeadLetter",
                    .tag = "dead letter",
                    .summary = "read a dead letter with its record as far as it is readable"};
  reading.response_schema = "DeadLetter";
  reading.answer = [&backend](const Call& call) { return readLetter(backend, call); };
  Operation replaying{.method = "POST",
                      .pattern = "/v1/dead-records/{id}/replay",
                      .id = "replayDeadLetter",
                      .tag = "dead letter",
                      .summary = "publish the record to the stream again; a letter is replayed once, a repeat says when that was"};
  replaying.response_schema = "DeadLetterReplay";
  replaying.answer = [&backend](const Call& call) { return replayLetter(backend, call); };
  return {listing, reading, replaying};
}

Json deadLetterSchemas() {
  auto letter = shownSchema(letterFields());
  letter["properties"]["data_hex"] = {{"type", "string"}, {"description", "The record as it was received. Only when one letter is read."}};
  letter["properties"]["record"] = {
      {"type", {"object", "null"}},
      {"description", "What can be read of the record; null when nothing can. Only when one letter is read."}};
  letter["properties"]["is_whole"] = {{"type", "boolean"}, {"description", "The whole record can be read. Only when one letter is read."}};
  const Json text = {{"type", "string"}};
  return {{"DeadLetter", letter},
          {"DeadLetterReplay",
           {{"type", "object"},
            {"properties",
             {{"id", {{"type", "integer"}}},
              {"replayed_at", {{"type", "string"}, {"format", "date-time"}}},
              {"replayed_by", text},
              {"existed", {{"type", "boolean"}, {"description", "It had been replayed before."}}}}}}}};
}

}  // namespace tollgate::admin_api
