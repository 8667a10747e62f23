#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "libs/http/server.hpp"

namespace tollgate::http {

Response problem(int status, std::string_view title, std::string_view detail, std::string_view field, std::string_view rule) {
  // `detail` may quote the request: bytes that are not UTF-8 are replaced instead of making dump() throw.
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

}  // namespace tollgate::http
