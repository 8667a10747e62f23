// An operation of the API, declared once: its handler, its input and its output. Server routes and the OpenAPI document are made from the
// same list (REQUIREMENTS 11.1). Mounting: start-up thread; the operations run on the HTTP server's worker threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/http/server.hpp"
#include "libs/telemetry/metrics.hpp"
#include "services/admin_api/api/field.hpp"
#include "services/admin_api/api/outcome.hpp"

namespace tollgate::admin_api {

// The name of the user. Access control sets it on every request that it lets through.
constexpr const char* kAuthorHeader = "x-tollgate-author";

struct Call {
  const http::Request& request;
  Json body;  // null when the operation takes none
  std::string author;

  // A path parameter that is an id; refused with 400.
  [[nodiscard]] Outcome<std::int64_t> id(const std::string& name) const;
  // Empty when not given.
  [[nodiscard]] std::string query(const std::string& name) const;
  // A query parameter that is an id or count; `fallback` when not given; refused with 400.
  [[nodiscard]] Outcome<std::int64_t> queryInteger(const std::string& name, std::int64_t fallback, std::int64_t low,
                                                   std::int64_t high) const;
  // Of lists: the most rows of the page, and the content of the cursor, null when not given; refused with 400.
  [[nodiscard]] Outcome<std::size_t> limit() const;
  [[nodiscard]] Outcome<Json> cursor() const;
  [[nodiscard]] std::string header(const std::string& lower_case_name) const;
};

struct QueryParameter {
  std::string name;
  Json schema;
  std::string help;
};

struct Operation {
  std::string method;
  std::string pattern;
  std::string id;  // operationId
  std::string tag;
  std::string summary;
  std::vector<QueryParameter> query = {};
  std::string request_schema = {};   // component; empty = no body
  std::string response_schema = {};  // component; empty = no body
  bool is_page = false;              // response is {items: [response_schema], next}
  int success = 200;
  bool also_created = false;              // PUT: 201 beside 200
  bool is_public = false;                 // answers without credentials
  std::vector<std::string> headers = {};  // request headers it looks at
  std::function<Outcome<http::Response>(const Call&)> answer = nullptr;
};

// Registers every operation: parses and bounds the body (400, 415), refuses query parameters that are not declared (400), turns refusals
// into problem documents. Counts every answer of the server by route and status class; what has no route counts as "other".
void mount(const std::vector<Operation>& operations, http::Server& server, telemetry::Metrics& metrics);

[[nodiscard]] http::Response jsonResponse(int status, const Json& document);
[[nodiscard]] http::Response noContent();
[[nodiscard]] http::Response pageResponse(const std::vector<Json>& items, const std::string& next_cursor);

// Parses a body in time linear in its length. Refused with 400: not JSON or not UTF-8, a name twice in one object, nested deeper than
// kJsonDepthMax, more than kJsonValuesMax values.
[[nodiscard]] Outcome<Json> parseBody(const std::string& text);

// Cursors are opaque to clients: base64url of a JSON document, which Call::cursor() gives back.
[[nodiscard]] std::string encodeCursor(const Json& content);

// What every list takes.
[[nodiscard]] QueryParameter limitParameter();
[[nodiscard]] QueryParameter cursorParameter();
constexpr std::int64_t kPageRowsDefault = 100;

}  // namespace tollgate::admin_api
