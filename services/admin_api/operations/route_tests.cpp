// Route tests (REQUIREMENTS 10.6): the answer that a real call would get, from the same services with the same requests, without a call.
#include "libs/base/reason.hpp"
#include "libs/digits/digits.hpp"
#include "libs/wire/wire.hpp"
#include "services/admin_api/operations/messages.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/store.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/routing/v1/routing.rpc.h"

namespace tollgate::admin_api {
namespace {

std::optional<std::string> checkNumber(Json& value) {
  return digits::Digits::fromUserPart(value.get<std::string>()) ? std::nullopt
                                                                : std::optional<std::string>("must be a number of at most 32 digits");
}

const std::vector<Field>& testFields() {
  static const std::vector<Field> kFields = {
      {.name = "trunk_id", .kind = Kind::kInteger, .rule = "10.6", .required = true, .low = 1, .high = INT64_MAX},
      {.name = "caller", .rule = "10.6", .fallback = "", .high = 64, .check = checkNumber},
      {.name = "called",
       .rule = "10.6",
       .help = "As the customer would dial it, tech prefix included.",
       .required = true,
       .low = 1,
       .high = 64,
       .check = checkNumber},
  };
  return kFields;
}

void addTrace(Json& document, const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& trace) {
  for (auto& step : traceJson(trace)) {
    document["trace"].push_back(std::move(step));
  }
}

void setRefused(Json& document, const common::v1::Refusal& refusal) {
  const auto& row = base::reasonRow(wire::fromWire(refusal.reason()));
  document["outcome"] = "refused";
  document["reason"] = row.word;
  document["sip_code"] = row.sip_code;
  document["q850_cause"] = row.q850_cause;
  document["detail"] = refusal.detail();
}

Json candidateJson(const routing::v1::Candidate& candidate) {
  Json endpoints = Json::array();
  for (const auto& endpoint : candidate.endpoints()) {
    const auto address = endpoint.address().find(':') == std::string::npos ? endpoint.address() : "[" + endpoint.address() + "]";
    endpoints.push_back(address + ":" + std::to_string(endpoint.port()));
  }
  return {{"trunk_id", candidate.trunk_id()},
          {"trunk_name", candidate.trunk_name()},
          {"customer_id", candidate.customer_id()},
          {"weight", candidate.weight()},
          {"from_next_trunk", candidate.from_next_trunk()},
          {"endpoints", endpoints},
          {"skipped", nullptr},
          {"taken", false}};
}

void markCandidates(Json& document, const billing::v1::Occupied& occupied) {
  auto& candidates = document["candidates"];
  for (const auto& skipped : occupied.skipped()) {
    if (skipped.index() < candidates.size()) {
      candidates[skipped.index()]["skipped"] = base::reasonRow(wire::fromWire(skipped.reason())).word;
    }
  }
  if (occupied.index() < candidates.size()) {
    candidates[occupied.index()]["taken"] = true;
  }
}

// One test: fills the document stage by stage; an Error of a stage is decision_unavailable, as for a call.
class RouteTest {
 public:
  RouteTest(Backend& backend, Json& document) : backend_(backend), document_(document) {}

  void run(std::int64_t trunk, const std::string& caller, const std::string& called) {
    document_["trace"] = Json::array();
    document_["candidates"] = Json::array();
    document_["rate"] = nullptr;
    if (authorize(trunk, caller, called) && route()) {
      reserve();
    }
  }

 private:
  bool unavailable(const std::string& stage, const base::Error& error) {
    common::v1::Refusal refusal;
    refusal.set_reason(common::v1::REASON_DECISION_UNAVAILABLE);
    refusal.set_detail(stage + " did not decide: " + error.message);
    setRefused(document_, refusal);
    document_["trace"].push_back({{"stage", stage}, {"check", "answer"}, {"found", error.message}, {"passed", false}});
    return false;
  }

  bool refused(const common::v1::Refusal& refusal) {
    setRefused(document_, refusal);
    return false;
  }

  bool authorize(std::int64_t trunk, const std::string& caller, const std::string& called) {
    auth::v1::AuthorizeRequest request;
    request.set_dry_run_trunk_id(trunk);
    request.set_transport(common::v1::TRANSPORT_UDP);
    request.set_caller(caller);
    request.set_called(called);
    const auto reply = backend_.ask<auth::v1::Auth::Authorize>(request);
    if (!reply) {
      return unavailable("auth", reply.error());
    }
    addTrace(document_, reply->trace());
    identified_ = reply->identified();
    document_["customer_id"] = identified_.customer_id();
    document_["called"] = identified_.called();
    return reply->has_refusal() ? refused(reply->refusal()) : true;
  }

  bool route() {
    routing::v1::RouteRequest request;
    request.set_customer_id(identified_.customer_id());
    request.set_trunk_id(identified_.trunk_id());
    request.set_called(identified_.called());
    request.set_caller(identified_.caller());
    *request.mutable_at() = wire::toWire(backend_.clock.wall());
    request.set_dry_run(true);
    const auto reply = backend_.ask<routing::v1::Routing::Route>(request);
    if (!reply) {
      return unavailable("routing", reply.error());
    }
    addTrace(document_, reply->trace());
    if (reply->has_refusal()) {
      return refused(reply->refusal());
    }
    routed_ = reply->routed();
    document_["rule_id"] = routed_.rule_id();
    document_["rule_code"] = routed_.rule_code();
    document_["dialpeer_id"] = routed_.dialpeer_id();
    for (const auto& candidate : routed_.candidates()) {
      document_["candidates"].push_back(candidateJson(candidate));
    }
    return true;
  }

  void reserve() {
    billing::v1::ReserveRequest request;
    request.set_customer_id(identified_.customer_id());
    request.set_trunk_id(identified_.trunk_id());
    request.set_called(identified_.called());
    request.set_caller(identified_.caller());
    *request.mutable_start() = wire::toWire(backend_.clock.wall());
    request.set_by_load(routed_.by_load());
    request.set_instance("route-test");
    request.set_dry_run(true);
    for (const auto& candidate : routed_.candidates()) {
      auto* trunk = request.add_candidates();
      trunk->set_trunk_id(candidate.trunk_id());
      trunk->set_weight(candidate.weight());
    }
    const auto reply = backend_.ask<billing::v1::Billing::Reserve>(request);
    if (!reply) {
      static_cast<void>(unavailable("billing", reply.error()));
      return;
    }
    addTrace(document_, reply->trace());
    if (reply->has_refusal()) {
      static_cast<void>(refused(reply->refusal()));
      return;
    }
    markCandidates(document_, reply->reserved().occupied());
    document_["outcome"] = "accepted";
    document_["rate"] = rateJson(reply->reserved().rate());
    document_["held"] = moneyText(reply->reserved().held_micros());
    document_["paid_seconds"] = reply->reserved().paid_seconds();
  }

  // Passed in.
  Backend& backend_;
  Json& document_;
  // Derived.
  auth::v1::Identified identified_;
  routing::v1::Routed routed_;
};

Outcome<http::Response> testRoute(Backend& backend, const Call& call) {
  const Resource shape{.name = "RouteTest", .noun = "route test", .path = "", .fields = testFields()};
  TG_PASS_ASSIGN(input, readInput(shape, call.body, Completeness::kFull));
  const auto trunk = integerOf(input, "trunk_id");
  TG_PASS_ASSIGN(known, backend.pool.use<bool>([&](sql::Session& session) { return exists(session, "trunks", trunk); }));
  if (!known) {
    return invalid("trunk_id", "10.6", "there is no trunk " + std::to_string(trunk));
  }
  Json document = {{"trunk_id", trunk},   {"outcome", "refused"},  {"reason", nullptr},
                   {"sip_code", nullptr}, {"q850_cause", nullptr}, {"detail", ""}};
  RouteTest(backend, document).run(trunk, textOf(input, "caller"), textOf(input, "called"));
  return jsonResponse(200, document);
}

}  // namespace

std::vector<Operation> routeTestOperations(Backend& backend) {
  Operation testing{.method = "POST",
                    .pattern = "/v1/route-tests",
                    .id = "testRoute",
                    .tag = "route test",
                    .summary = "ask what a call from a trunk would get, without placing it"};
  testing.request_schema = "RouteTest";
  testing.response_schema = "RouteTestResult";
  testing.answer = [&backend](const Call& call) { return testRoute(backend, call); };
  return {testing};
}

Json routeTestSchemas() {
  const Json text = {{"type", "string"}};
  const Json number = {{"type", "integer"}};
  const Json number_or_null = {{"type", {"integer", "null"}}};
  Json result = {{"type", "object"},
                 {"properties",
                  {{"trunk_id", number},
                   {"customer_id", number},
                   {"called", text},
                   {"outcome", {{"enum", {"accepted", "refused"}}}},
                   {"reason", {{"type", {"string", "null"}}}},
                   {"sip_code", number_or_null},
                   {"q850_cause", number_or_null},
                   {"detail", text},
                   {"rule_id", number},
                   {"rule_code", text},
                   {"dialpeer_id", number},
                   {"rate", {{"type", {"object", "null"}}}},
                   {"held", text},
                   {"paid_seconds", number},
                   {"candidates", {{"type", "array"}, {"items", {{"type", "object"}}}}},
                   {"trace", {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/TraceStep"}}}}}}}};
  return {{"RouteTest", inputSchema(testFields())}, {"RouteTestResult", result}};
}

}  // namespace tollgate::admin_api
