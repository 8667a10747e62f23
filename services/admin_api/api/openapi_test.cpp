#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/telemetry/metrics.hpp"
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {
namespace {

// A backend that is never asked anything: nothing is started or connected.
class OpenApi : public ::testing::Test {
 protected:
  OpenApi() : operations(allOperations(backend())), document(openApiDocument(operations)) {}

  static Backend& backend() {
    static sql::Pool pool{sql::PoolSettings{}};
    static auto connection = bus::Connection::open({.url = "nats://127.0.0.1:1", .user = "", .password = "", .ca_file = "", .name = "test"},
                                                   bus::ConnectionKind::kRequests);
    static bus::RpcClient rpc(
        **connection, [](const std::function<void()>& done) { done(); }, bus::RpcClient::Options{});
    static const base::SystemClock clock;
    static Backend backend{pool, **connection, rpc, clock, {}};
    return backend;
  }

  std::vector<Operation> operations;
  Json document;
};

TEST_F(OpenApi, HasEveryServerRouteAndNoOther) {
  // REQUIREMENTS 11.1.
  http::Server server(http::ServerSettings{});
  telemetry::Metrics metrics;
  mount(operations, server, metrics);
  std::set<std::string> documented;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, unused] : methods.items()) {
      std::string name = method;
      for (auto& c : name) {
        c = static_cast<char>(c - 32);
      }
      documented.insert(name + " " + path);
    }
  }
  const auto routes = server.routes();
  EXPECT_EQ(documented, std::set<std::string>(routes.begin(), routes.end()));
  EXPECT_EQ(documented.size(), operations.size());
  for (const auto* route : {"PUT /v1/trunks/{id}", "POST /v1/customers/{id}/payments", "DELETE /v1/calls/{id}", "POST /v1/route-tests",
                            "PATCH /v1/rate-plans/{id}/rates/{rate_id}", "GET /v1/openapi.json"}) {
    EXPECT_TRUE(documented.contains(route)) << route;
  }
}

TEST_F(OpenApi, EveryOperationAnswersAndItsIdIsItsOwn) {
  std::set<std::string> ids;
  for (const auto& operation : operations) {
    EXPECT_TRUE(operation.answer) << operation.id;
    EXPECT_TRUE(ids.insert(operation.id).second) << operation.id;
  }
}

// Every $ref of the document, wherever it stands.
void collectReferences(const Json& node, std::set<std::string>& references) {
  if (node.is_object() && node.contains("$ref")) {
    references.insert(node["$ref"].get<std::string>());
  }
  if (node.is_structured()) {
    for (const auto& child : node) {
      collectReferences(child, references);
    }
  }
}

TEST_F(OpenApi, EveryReferenceHasItsSchema) {
  std::set<std::string> references;
  collectReferences(document, references);
  EXPECT_GT(references.size(), 15U);
  for (const auto& reference : references) {
    EXPECT_TRUE(document.contains(Json::json_pointer(reference.substr(1)))) << reference;
  }
}

TEST_F(OpenApi, SchemaFieldsAreWhatTheValidatorsTake) {
  for (const auto& resource : resources()) {
    const auto& schema = document["components"]["schemas"][resource.name];
    // Every documented name is known to the validator: none is refused as unknown.
    for (const auto& [name, unused] : schema["properties"].items()) {
      const auto read = readInput(resource, {{name, Json::object()}}, Completeness::kPartial);
      EXPECT_TRUE(read || read.error().rule != "11.1" || name == "id") << resource.name << "." << name << ": " << read.error().detail;
    }
    // And every name the validator takes is documented; required ones as required.
    std::set<std::string> required;
    for (const auto& field : resource.fields) {
      EXPECT_TRUE(schema["properties"].contains(field.name)) << resource.name << "." << field.name;
      if (field.required) {
        required.insert(field.name);
      }
    }
    const auto listed = schema.value("required", Json::array()).get<std::set<std::string>>();
    EXPECT_EQ(listed, required) << resource.name;
    const auto undocumented = readInput(resource, {{"not_documented", 1}}, Completeness::kPartial);
    ASSERT_FALSE(undocumented);
    EXPECT_EQ(undocumented.error().field, "not_documented");
    for (const auto& set : resource.rows) {
      for (const auto& field : set.fields) {
        EXPECT_TRUE(schema["properties"][set.name]["items"]["properties"].contains(field.name)) << set.name << "." << field.name;
      }
    }
  }
}

TEST_F(OpenApi, DefaultsOfTheSchemaPassTheValidators) {
  for (const auto& resource : resources()) {
    for (const auto& field : resource.fields) {
      if (field.required || (field.fallback.is_null() && !field.nullable)) {
        continue;
      }
      if (field.fallback == nlohmann::json("") && field.low == 0) {
        continue;  // empty means not set
      }
      const auto read = readField(field, field.fallback, "");
      ASSERT_TRUE(read) << resource.name << "." << field.name << ": " << read.error().detail;
      EXPECT_EQ(*read, field.fallback) << resource.name << "." << field.name;
    }
  }
}

TEST_F(OpenApi, OnlyTheDocumentIsPublic) {
  for (const auto& operation : operations) {
    EXPECT_EQ(operation.is_public, operation.pattern == "/v1/openapi.json") << operation.pattern;
  }
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_TRUE(document["components"]["securitySchemes"].contains("basic"));
}

}  // namespace
}  // namespace tollgate::admin_api
