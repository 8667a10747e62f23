#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "libs/http/server.hpp"

namespace tollgate::http {

Response problem(int status, std::string_view title, std::string_view detail, std::string_view field, std::string_view rule) {
  // Text of the caller's may stand in `detail`: bytes that are not UTF-8 are replaced, never thrown over.
  nlohmann::ordered_json document;
  document["type"] = rule.empty() ? "about:blank" : "urn:tollgate:rule:" + std::string(rule);
  document["title"] = title;
  document["status"] = status;
  document["detail"] = detail;
  if (!field.empty()) {
    document["field"] = field;
  }
  if (!rule.empty()) {
    document["rule"] = rule;
  }
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return response;
}

std::optional<Response> requireJson(const Request& request) {
  const auto found = request.headers.find("content-type");
  std::string type = found == request.headers.end() ? "" : found->second.substr(0, found->second.find(';'));
  type.erase(std::remove_if(type.begin(), type.end(), [](char c) { return c == ' ' || c == '\t'; }), type.end());
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const bool is_json = type == "application/json" || (type.rfind("application/", 0) == 0 && type.ends_with("+json"));
  if (is_json) {
    return std::nullopt;
  }
  return problem(415, "Unsupported Media Type", "send the body as application/json");
}

}  // namespace tollgate::http
