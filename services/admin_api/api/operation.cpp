#include "services/admin_api/api/operation.hpp"

#include <algorithm>
#include <set>

#include "libs/base/text.hpp"
#include "services/admin_api/api/base64.hpp"

namespace tollgate::admin_api {
namespace {

constexpr std::size_t kCursorCharactersMax = 1024;

struct RouteCounters {
  // By status class: index 2 counts 2xx.
  std::array<telemetry::Counter*, 6> by_class{};
};

RouteCounters makeCounters(const std::string& route, telemetry::Metrics& metrics) {
  RouteCounters counters;
  for (std::size_t i = 2; i <= 5; ++i) {
    counters.by_class[i] = &metrics.counter("tollgate_admin_api_requests_total", "API requests by route and class of status",
                                            {{"route", route}, {"status", std::to_string(i) + "xx"}});
  }
  return counters;
}

Outcome<void> checkQuery(const Operation& operation, const http::Request& request) {
  for (const auto& [name, unused] : request.query) {
    const bool known = std::any_of(operation.query.begin(), operation.query.end(),
                                   [&name = name](const QueryParameter& parameter) { return parameter.name == name; });
    if (!known) {
      return refuse(400, "is not a query parameter of this path", name, "11.1");
    }
  }
  return {};
}

Outcome<void> checkContentType(const http::Request& request) {
  const auto found = request.headers.find("content-type");
  const auto whole = found == request.headers.end() ? std::string() : base::lower(found->second);
  const auto type = base::trimmed(std::string_view(whole).substr(0, whole.find(';')));
  const bool merge_patch = request.method == "PATCH" && type == "application/merge-patch+json";
  if (type != "application/json" && !merge_patch) {
    return refuse(415, "send the body as application/json", "", "11.1");
  }
  return {};
}

Outcome<http::Response> run(const Operation& operation, const http::Request& request) {
  TG_PASS(checkQuery(operation, request));
  Call call{request, nullptr, ""};
  call.author = call.header(kAuthorHeader);
  if (!operation.request_schema.empty()) {
    TG_PASS(checkContentType(request));
    TG_PASS_ASSIGN(body, parseBody(request.body));
    call.body = std::move(body);
  }
  return operation.answer(call);
}

// Bounds a body before a document is made of it. The parser's own callback is no place for this: with one, the parser searches the whole
// parent at the end of every object, so that a body of many small objects costs time with the square of its length.
class BodyCheck final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return count(); }
  bool start_object(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override { return names_.back().insert(name).second || refuse("names \"" + name + "\" twice in one object"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return refuse("is not JSON"); }

  std::string complaint;

 private:
  bool refuse(std::string text) {
    complaint = std::move(text);
    return false;
  }
  bool count() {
    return ++values_ <= base::limits::kJsonValuesMax ||
           refuse("holds more than " + std::to_string(base::limits::kJsonValuesMax) + " values");
  }
  bool enter() {
    names_.emplace_back();
    return count() &&
           (names_.size() <= base::limits::kJsonDepthMax || refuse("is nested deeper than " + std::to_string(base::limits::kJsonDepthMax)));
  }
  bool leave() {
    names_.pop_back();
    return true;
  }

  std::size_t values_ = 0;
  std::vector<std::set<std::string>> names_;  // of each object and list that is open
};

}  // namespace

Outcome<std::int64_t> Call::id(const std::string& name) const {
  const auto found = request.parameters.find(name);
  const auto value = found == request.parameters.end() ? std::nullopt : base::parseInteger(found->second);
  if (!value || *value < 1) {
    return refuse(400, "must be a whole number from 1", name, "11.1");
  }
  return *value;
}

std::string Call::query(const std::string& name) const {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

Outcome<std::int64_t> Call::queryInteger(const std::string& name, std::int64_t fallback, std::int64_t low, std::int64_t high) const {
  const auto text = query(name);
  if (text.empty()) {
    return fallback;
  }
  const auto value = base::parseInteger(text);
  if (!value || *value < low || *value > high) {
    return refuse(400, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high), name, "11.1");
  }
  return *value;
}

Outcome<std::size_t> Call::limit() const {
  TG_PASS_ASSIGN(rows, queryInteger("limit", kPageRowsDefault, 1, static_cast<std::int64_t>(base::limits::kPageRowsMax)));
  return static_cast<std::size_t>(rows);
}

std::string Call::header(const std::string& lower_case_name) const {
  const auto found = request.headers.find(lower_case_name);
  return found == request.headers.end() ? std::string() : found->second;
}

void mount(const std::vector<Operation>& operations, http::Server& server, telemetry::Metrics& metrics) {
  // Shared by the handlers, which live as long as the server.
  const auto shared = std::make_shared<const std::vector<Operation>>(operations);
  std::map<std::string, RouteCounters> counters;
  for (std::size_t i = 0; i < shared->size(); ++i) {
    const auto& operation = (*shared)[i];
    counters.emplace(operation.method + " " + operation.pattern, makeCounters(operation.method + " " + operation.pattern, metrics));
    server.route(operation.method, operation.pattern, [shared, i](const http::Request& request) -> http::Response {
      auto outcome = run((*shared)[i], request);
      return outcome ? std::move(*outcome) : toResponse(outcome.error());
    });
  }
  server.observe([counters = std::move(counters), other = makeCounters("other", metrics)](const http::Observation& seen) {
    const std::string method(seen.method == "HEAD" ? "GET" : seen.method);
    const auto found = counters.find(method + " " + std::string(seen.pattern));
    const auto& by_class = (found == counters.end() ? other : found->second).by_class;
    by_class[static_cast<std::size_t>(std::clamp(seen.status / 100, 2, 5))]->add();
  });
}

http::Response jsonResponse(int status, const Json& document) {
  http::Response response;
  response.status = status;
  response.body = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  response.headers["Cache-Control"] = "no-store";
  return response;
}

http::Response noContent() {
  http::Response response;
  response.status = 204;
  return response;
}

http::Response pageResponse(const std::vector<Json>& items, const std::string& next_cursor) {
  return jsonResponse(200, {{"items", items}, {"next", next_cursor.empty() ? Json(nullptr) : Json(next_cursor)}});
}

Outcome<Json> parseBody(const std::string& text) {
  BodyCheck check;
  if (!Json::sax_parse(text, &check)) {
    return refuse(400, "the body " + check.complaint, "", "11.1");
  }
  auto document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    return refuse(400, "the body is not JSON", "", "11.1");
  }
  return document;
}

std::string encodeCursor(const Json& content) {
  return toBase64(content.dump(), kBase64Url);
}

Outcome<Json> Call::cursor() const {
  const auto text = query("cursor");
  if (text.empty()) {
    return Json(nullptr);
  }
  const auto content = text.size() > kCursorCharactersMax ? std::nullopt : fromBase64(text, kBase64Url);
  auto document = Json::parse(content.value_or(""), nullptr, false);
  if (document.is_discarded()) {
    return refuse(400, "is not a cursor this service gave out", "cursor", "11.1");
  }
  return document;
}

QueryParameter limitParameter() {
  return {"limit",
          {{"type", "integer"}, {"minimum", 1}, {"maximum", base::limits::kPageRowsMax}, {"default", kPageRowsDefault}},
          "Rows of a page."};
}

QueryParameter cursorParameter() {
  return {"cursor", {{"type", "string"}}, "`next` of the page before."};
}

}  // namespace tollgate::admin_api
