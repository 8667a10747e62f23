// The OpenAPI 3.1 document, made from the operations and resources that also make the server's routes and validators.
#include <set>

#include "libs/base/text.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {
namespace {

Json reference(const std::string& schema) {
  return {{"$ref", "#/components/schemas/" + schema}};
}

Json rowsSchema(const RowSet& set) {
  Json row = inputSchema(set.fields);
  if (set.has_id) {
    row["properties"]["id"] = {{"type", "integer"}, {"readOnly", true}};
  }
  return {{"type", "array"}, {"items", row}, {"maxItems", set.rows_max}, {"description", set.help + " (REQUIREMENTS " + set.rule + ")"}};
}

Json resourceSchema(const Resource& resource, bool patch) {
  Json schema = inputSchema(resource.fields);
  auto& properties = schema["properties"];
  properties["id"] = {{"type", "integer"}, {"minimum", 1}, {"description", "Chosen at creation, or assigned."}};
  if (patch) {
    schema.erase("required");
    for (const auto& field : resource.fields) {
      properties[field.name].erase("default");
    }
  }
  for (const auto& set : resource.rows) {
    properties[set.name] = rowsSchema(set);
  }
  if (!resource.parent_column.empty()) {
    properties[resource.parent_column] = {{"type", "integer"}, {"readOnly", true}};
  }
  for (const auto& shown : resource.shown) {
    properties[shown.name] = shown.schema;
    properties[shown.name]["readOnly"] = true;
  }
  properties["revision"] = {{"type", "integer"}, {"readOnly", true}, {"description", "Increases with every change; the ETag."}};
  for (const auto* name : {"created_at", "updated_at"}) {
    properties[name] = {{"type", "string"}, {"format", "date-time"}, {"readOnly", true}};
  }
  return schema;
}

Json problemSchema() {
  const Json text = {{"type", "string"}};
  return {{"type", "object"},
          {"description", "RFC 9457."},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"field", {{"type", "string"}, {"description", "The input that is refused, like sources[1].network."}}},
            {"rule",
             {{"type", "string"},
              {"description",
               "Number of the statement it breaks in services/REQUIREMENTS.md of the source tree; detail says the rule in words."}}}}}};
}

Json parametersOf(const Operation& operation) {
  Json parameters = Json::array();
  for (auto open = operation.pattern.find('{'); open != std::string::npos; open = operation.pattern.find('{', open + 1)) {
    const auto name = operation.pattern.substr(open + 1, operation.pattern.find('}', open) - open - 1);
    const bool is_call = operation.tag == "call" || operation.tag == "cdr";
    Json schema = is_call ? Json{{"type", "string"}, {"minLength", 26}, {"maxLength", 26}} : Json{{"type", "integer"}, {"minimum", 1}};
    parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", schema}});
  }
  for (const auto& query : operation.query) {
    parameters.push_back({{"name", query.name}, {"in", "query"}, {"schema", query.schema}, {"description", query.help}});
  }
  for (const auto& header : operation.headers) {
    parameters.push_back({{"name", header}, {"in", "header"}, {"required", header == "Idempotency-Key"}, {"schema", {{"type", "string"}}}});
  }
  return parameters;
}

Json contentOf(const Operation& operation) {
  if (operation.is_page) {
    return {{"application/json",
             {{"schema",
               {{"type", "object"},
                {"required", {"items", "next"}},
                {"properties",
                 {{"items", {{"type", "array"}, {"items", reference(operation.response_schema)}}},
                  {"next", {{"type", {"string", "null"}}}}}}}}}}};
  }
  return {{"application/json", {{"schema", operation.response_schema.empty() ? Json::object() : reference(operation.response_schema)}}}};
}

Json responsesOf(const Operation& operation) {
  Json responses = Json::object();
  std::set<int> good = {operation.success};
  if (operation.also_created) {
    good = {200, 201};
  }
  for (const auto status : good) {
    responses[std::to_string(status)] = {{"description", status == 201 ? "Created" : status == 204 ? "Done" : "OK"}};
    if (status != 204) {
      responses[std::to_string(status)]["content"] = contentOf(operation);
    }
  }
  responses["default"] = {{"description", "Refused: says which field and rule"},
                          {"content", {{"application/problem+json", {{"schema", reference("Problem")}}}}}};
  return responses;
}

Json operationJson(const Operation& operation) {
  Json document = {
      {"operationId", operation.id}, {"tags", {operation.tag}}, {"summary", operation.summary}, {"responses", responsesOf(operation)}};
  auto parameters = parametersOf(operation);
  if (!parameters.empty()) {
    document["parameters"] = std::move(parameters);
  }
  if (!operation.request_schema.empty()) {
    Json content = {{"application/json", {{"schema", reference(operation.request_schema)}}}};
    if (operation.method == "PATCH") {
      content["application/merge-patch+json"] = content["application/json"];
    }
    document["requestBody"] = {{"required", true}, {"content", content}};
  }
  if (operation.is_public) {
    document["security"] = Json::array();
  }
  return document;
}

Json schemas() {
  Json all = {{"Problem", problemSchema()}};
  for (const auto& part : {moneySchemas(), callSchemas(), cdrSchemas(), deadLetterSchemas(), routeTestSchemas(), infoSchemas()}) {
    all.update(part);
  }
  for (const auto& resource : resources()) {
    all[resource.name] = resourceSchema(resource, false);
    all[resource.name + "Patch"] = resourceSchema(resource, true);
  }
  return all;
}

}  // namespace

Json openApiDocument(const std::vector<Operation>& operations) {
  Json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Tollgate admin API"},
        {"version", "1"},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
        {"description",
         "Money is decimal text with 6 places; times are UTC. Unknown fields and query parameters are refused. REQUIREMENTS 2.1 is the "
         "statement 2.1 of services/REQUIREMENTS.md in the source tree."}}},
      {"security", Json::array({{{"basic", Json::array()}}, {{"key", Json::array()}}})},
      {"paths", Json::object()},
      {"components",
       {{"schemas", schemas()},
        {"securitySchemes", {{"basic", {{"type", "http"}, {"scheme", "basic"}}}, {"key", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
  for (const auto& operation : operations) {
    document["paths"][operation.pattern][base::lower(operation.method)] = operationJson(operation);
  }
  return document;
}

}  // namespace tollgate::admin_api
