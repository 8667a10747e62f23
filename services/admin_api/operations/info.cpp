// whoami, the reject map (REQUIREMENTS 7) and the OpenAPI document.
#include "libs/base/reason.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/resource_operations.hpp"

namespace tollgate::admin_api {
namespace {

Outcome<http::Response> whoAmI(const Call& call) {
  return jsonResponse(200, {{"name", call.author}, {"roles", {"admin"}}});
}

Outcome<http::Response> rejectMap(const Call& /*call*/) {
  std::vector<Json> items;
  for (const auto& row : base::reasonTable()) {
    if (row.reason == base::Reason::kUnspecified) {
      continue;
    }
    items.push_back({{"reason", row.word},
                     {"sip_code", row.sip_code == 0 ? Json(nullptr) : Json(row.sip_code)},
                     {"q850_cause", row.q850_cause},
                     {"phrase", row.phrase},
                     {"retry_after", row.retry_after}});
  }
  return pageResponse(items, "");
}

void append(std::vector<Operation>& all, std::vector<Operation> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<Operation> infoOperations() {
  Operation who{
      .method = "GET", .pattern = "/v1/whoami", .id = "whoAmI", .tag = "service", .summary = "read who the credentials belong to"};
  who.response_schema = "Identity";
  who.answer = whoAmI;
  Operation map{.method = "GET",
                .pattern = "/v1/reject-map",
                .id = "listRejectMap",
                .tag = "service",
                .summary = "list every reason with the SIP code and Q.850 cause it is shown as by default"};
  map.response_schema = "RejectMapRow";
  map.is_page = true;
  map.answer = rejectMap;
  return {who, map};
}

Json infoSchemas() {
  const Json text = {{"type", "string"}};
  return {{"Identity", {{"type", "object"}, {"properties", {{"name", text}, {"roles", {{"type", "array"}, {"items", text}}}}}}},
          {"RejectMapRow",
           {{"type", "object"},
            {"properties",
             {{"reason", text},
              {"sip_code", {{"type", {"integer", "null"}}}},
              {"q850_cause", {{"type", "integer"}}},
              {"phrase", text},
              {"retry_after", {{"type", "boolean"}}}}}}}};
}

std::vector<Operation> allOperations(Backend& backend) {
  std::vector<Operation> all;
  for (const auto& resource : resources()) {
    append(all, operationsOf(resource, backend));
  }
  append(all, moneyOperations(backend));
  append(all, callOperations(backend));
  append(all, cdrOperations(backend));
  append(all, deadLetterOperations(backend));
  append(all, routeTestOperations(backend));
  append(all, infoOperations());
  Operation document{
      .method = "GET", .pattern = "/v1/openapi.json", .id = "readOpenApi", .tag = "service", .summary = "read this document"};
  document.is_public = true;
  all.push_back(document);
  // The document describes itself too, so it is made when the list is complete.
  const auto text = std::make_shared<const Json>(openApiDocument(all));
  all.back().answer = [text](const Call& /*call*/) -> Outcome<http::Response> { return jsonResponse(200, *text); };
  return all;
}

}  // namespace tollgate::admin_api
