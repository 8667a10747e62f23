#include "services/admin_api/api/outcome.hpp"

#include "libs/telemetry/log.hpp"

namespace tollgate::admin_api {

tl::unexpected<Refused> refuse(int status, std::string detail, std::string field, std::string rule) {
  return tl::unexpected(Refused{status, statusTitle(status), std::move(detail), std::move(field), std::move(rule), {}});
}

tl::unexpected<Refused> invalid(std::string field, std::string rule, std::string detail) {
  return refuse(422, std::move(detail), std::move(field), std::move(rule));
}

tl::unexpected<Refused> conflict(std::string field, std::string rule, std::string detail) {
  return refuse(409, std::move(detail), std::move(field), std::move(rule));
}

tl::unexpected<Refused> notFound(std::string detail) {
  return refuse(404, std::move(detail));
}

Refused asRefused(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::kUnavailable:
    case base::ErrorCode::kTimeout:
    case base::ErrorCode::kOverLimit:
      telemetry::warn("request could not be served", {{"error", std::string_view(error.message)}});
      return Refused{503, statusTitle(503),      "a required service is unavailable; read before you repeat a change", "",
                     "",  {{"Retry-After", "2"}}};
    case base::ErrorCode::kConflict:
      telemetry::warn("the store refused a change", {{"error", std::string_view(error.message)}});
      return Refused{409, statusTitle(409), "the change does not fit what is stored: something else refers to it or has this id", "", "",
                     {}};
    case base::ErrorCode::kNotFound:
      return Refused{404, statusTitle(404), error.message, "", "", {}};
    case base::ErrorCode::kInvalid:
    case base::ErrorCode::kInternal:
      break;
  }
  telemetry::error("request failed", {{"error", std::string_view(error.message)}});
  return Refused{500, statusTitle(500), "the log of admin_api says why", "", "", {}};
}

http::Response toResponse(const Refused& refused) {
  auto response = http::problem(refused.status, refused.title, refused.detail, refused.field, refused.rule);
  for (const auto& [name, value] : refused.headers) {
    response.headers[name] = value;
  }
  return response;
}

std::string statusTitle(int status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "Not authenticated";
    case 404:
      return "Not found";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition failed";
    case 413:
      return "Content too large";
    case 415:
      return "Unsupported media type";
    case 422:
      return "Rule broken";
    case 429:
      return "Too many requests";
    case 503:
      return "Unavailable";
    case 504:
      return "Outcome unknown";
    default:
      return "Internal error";
  }
}

}  // namespace tollgate::admin_api
