// Live calls (REQUIREMENTS 10.4) and hanging one up (REQUIREMENTS 6.8). No table of calls is kept: every ingress instance is asked.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "libs/base/ids.hpp"
#include "libs/bus/control.hpp"
#include "libs/wire/words.hpp"
#include "services/admin_api/operations/messages.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::admin_api {
namespace {

using control::v1::LiveCall;

std::string phaseWord(control::v1::CallPhase phase) {
  const auto word = wire::wordOf(phase);
  return word.empty() ? "unknown" : word;
}

Json idOrNull(std::int64_t id) {
  return id == 0 ? Json(nullptr) : Json(id);
}

Json callJson(const LiveCall& call, const std::string& instance) {
  return {{"call_id", call.call_id()},
          {"instance", instance},
          {"phase", phaseWord(call.phase())},
          {"customer_id", idOrNull(call.customer_id())},
          {"trunk_id", idOrNull(call.trunk_id())},
          {"carrier_trunk_id", idOrNull(call.carrier_trunk_id())},
          {"caller", call.caller()},
          {"called", call.called()},
          {"source_address", call.source_address()},
          {"endpoint", call.endpoint()},
          {"setup_at", call.has_setup_at() ? timeJson(call.setup_at()) : Json(nullptr)},
          {"answered_at", call.has_answered_at() ? timeJson(call.answered_at()) : Json(nullptr)},
          {"paid_seconds", call.paid_seconds()},
          {"held", moneyText(call.held_micros())},
          {"rate", call.has_rate() ? rateJson(call.rate()) : Json(nullptr)}};
}

// What the instances answered, each in one or more pieces.
struct Gathered {
  std::vector<std::pair<LiveCall, std::string>> calls;  // with the instance
  std::size_t instances = 0;
  std::vector<std::string> incomplete;  // names of instances of which pieces are missing
  std::uint64_t total = 0;
};

Gathered gather(Backend& backend, const control::v1::ReportCallsRequest& request) {
  struct Instance {
    std::set<std::uint32_t> pieces;
    std::optional<std::uint32_t> last;
    std::map<std::string, LiveCall> calls;  // a call that ended meanwhile is in two pieces; the later one is right
  };
  const auto lists_the_call = [&](const control::v1::ReportCallsReply& reply) {
    return !request.call_id().empty() && reply.calls_size() > 0;
  };
  std::map<std::string, Instance> instances;
  Gathered gathered;
  for (auto& reply :
       bus::gatherUntil<control::v1::Ingress::ReportCalls>(backend.connection, request, lists_the_call, backend.timeouts.gather)) {
    Instance& instance = instances[reply.instance()];
    instance.pieces.insert(reply.piece());
    if (reply.is_last()) {
      instance.last = reply.piece();
    }
    gathered.total += reply.total();
    for (auto& call : *reply.mutable_calls()) {
      auto id = call.call_id();
      instance.calls.insert_or_assign(std::move(id), std::move(call));
    }
  }
  gathered.instances = instances.size();
  for (auto& [name, instance] : instances) {
    if (!instance.last || instance.pieces.size() != *instance.last + std::size_t{1}) {
      gathered.incomplete.push_back(name);
    }
    for (auto& [id, call] : instance.calls) {
      gathered.calls.emplace_back(std::move(call), name);
    }
  }
  return gathered;
}

Outcome<http::Response> listCalls(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(limit, call.limit());
  TG_PASS_ASSIGN(customer, call.queryInteger("customer", 0, 1, INT64_MAX));
  TG_PASS_ASSIGN(trunk, call.queryInteger("trunk", 0, 1, INT64_MAX));
  TG_PASS_ASSIGN(carrier, call.queryInteger("carrier", 0, 1, INT64_MAX));
  const auto prefix = call.query("prefix");
  if (prefix.size() > base::limits::kDigitsMax || prefix.find_first_not_of("0123456789") != std::string::npos) {
    return refuse(400, "must be digits", "prefix", "10.4");
  }
  control::v1::ReportCallsRequest request;
  request.set_customer_id(customer);
  request.set_trunk_id(trunk);
  request.set_carrier_trunk_id(carrier);
  request.set_called_prefix(prefix);
  request.set_limit(static_cast<std::uint32_t>(limit));
  auto gathered = gather(backend, request);
  // Ids sort by set-up time: newest first.
  std::sort(gathered.calls.begin(), gathered.calls.end(),
            [](const auto& a, const auto& b) { return a.first.call_id() > b.first.call_id(); });
  gathered.calls.resize(std::min(gathered.calls.size(), limit));
  Json items = Json::array();
  for (const auto& [live, instance] : gathered.calls) {
    items.push_back(callJson(live, instance));
  }
  return jsonResponse(200, {{"items", items},
                            {"next", nullptr},
                            {"total", gathered.total},
                            {"instances", gathered.instances},
                            {"incomplete", gathered.incomplete}});
}

Outcome<std::string> callId(const Call& call) {
  const auto found = call.request.parameters.find("id");
  auto id = found == call.request.parameters.end() ? base::CallId() : base::CallId::parse(found->second);
  if (!id.isSet()) {
    return refuse(400, "must be a call id", "id", "11.1");
  }
  return id.text();
}

Outcome<http::Response> readCall(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(id, callId(call));
  control::v1::ReportCallsRequest request;
  request.set_call_id(id);
  const auto gathered = gather(backend, request);
  for (const auto& [live, instance] : gathered.calls) {
    if (live.call_id() == id) {
      auto document = callJson(live, instance);
      document["trace"] = traceJson(live.trace());
      return jsonResponse(200, document);
    }
  }
  return notFound("no such call is in progress; when it is over look in /v1/cdrs/" + id);
}

Outcome<http::Response> hangUp(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(id, callId(call));
  control::v1::HangupRequest request;
  request.set_call_id(id);
  request.set_author(call.author);
  for (const auto& reply : bus::gather<control::v1::Ingress::Hangup>(backend.connection, request, 1, backend.timeouts.hangup)) {
    if (reply.done()) {
      return noContent();
    }
  }
  return notFound("no such call is in progress, or its ingress did not answer");
}

}  // namespace

std::vector<Operation> callOperations(Backend& backend) {
  Operation listing{
      .method = "GET", .pattern = "/v1/calls", .id = "listCalls", .tag = "call", .summary = "list calls in progress, newest first"};
  const Json id_schema = {{"type", "integer"}, {"minimum", 1}};
  listing.query = {limitParameter(),
                   {"customer", id_schema, "Only calls of this customer."},
                   {"trunk", id_schema, "Only calls from this trunk."},
                   {"carrier", id_schema, "Only calls to this carrier trunk."},
                   {"prefix", {{"type", "string"}, {"pattern", "^[0-9]*$"}}, "Only calls to numbers that start so."}};
  listing.response_schema = "LiveCall";
  listing.is_page = true;
  listing.answer = [&backend](const Call& call) { return listCalls(backend, call); };
  Operation reading{.method = "GET",
                    .pattern = "/v1/calls/{id}",
                    .id = "readCall",
                    .tag = "call",
                    .summary = "read a call in progress with its decision trace"};
  reading.response_schema = "LiveCall";
  reading.answer = [&backend](const Call& call) { return readCall(backend, call); };
  Operation ending{.method = "DELETE", .pattern = "/v1/calls/{id}", .id = "hangUpCall", .tag = "call", .summary = "hang a call up"};
  ending.success = 204;
  ending.answer = [&backend](const Call& call) { return hangUp(backend, call); };
  return {listing, reading, ending};
}

Json callSchemas() {
  const Json text = {{"type", "string"}};
  const Json id = {{"type", {"integer", "null"}}};
  const Json time = {{"type", {"string", "null"}}, {"format", "date-time"}};
  return {{"LiveCall",
           {{"type", "object"},
            {"properties",
             {{"call_id", text},
              {"instance", text},
              {"phase", text},
              {"customer_id", id},
              {"trunk_id", id},
              {"carrier_trunk_id", id},
              {"caller", text},
              {"called", text},
              {"source_address", text},
              {"endpoint", text},
              {"setup_at", time},
              {"answered_at", time},
              {"paid_seconds", {{"type", "integer"}}},
              {"held", text},
              {"rate", {{"type", {"object", "null"}}}},
              {"trace", {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/TraceStep"}}}}}}}}},
          {"TraceStep",
           {{"type", "object"}, {"properties", {{"stage", text}, {"check", text}, {"found", text}, {"passed", {{"type", "boolean"}}}}}}}};
}

}  // namespace tollgate::admin_api
