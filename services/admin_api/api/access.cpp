#include "services/admin_api/api/access.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libs/base/text.hpp"
#include "services/admin_api/api/base64.hpp"
#include "services/admin_api/api/operation.hpp"

namespace tollgate::admin_api {
namespace {

constexpr std::size_t kAddressesMax = 10'000;
constexpr std::size_t kAddressCharactersMax = 64;
constexpr std::size_t kPasswordCharactersMin = 8;
constexpr std::size_t kKeyCharactersMin = 16;
constexpr std::size_t kAuthorizationCharactersMax = 1024;

// What follows the scheme, which is not case-sensitive (RFC 9110 section 11.1).
std::optional<std::string_view> afterScheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ' || base::lower(header.substr(0, scheme.size())) != scheme) {
    return std::nullopt;
  }
  return header.substr(scheme.size() + 1);
}

http::Response challenge() {
  auto response = toResponse(Refused{401, statusTitle(401), "send HTTP Basic credentials or an API key as a bearer token", "", "11.2", {}});
  response.headers["WWW-Authenticate"] = "Basic realm=\"tollgate\", charset=\"UTF-8\", Bearer realm=\"tollgate\"";
  return response;
}

}  // namespace

base::Result<Admin> Admin::parse(const std::string& json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) {
    return base::fail(base::ErrorCode::kInvalid, "must hold a JSON object {\"name\", \"password\", \"api_key\"}");
  }
  Admin admin{textOf(document, "name"), textOf(document, "password"), textOf(document, "api_key")};
  if (admin.name.empty() || admin.name.size() > 128 || admin.name.find(':') != std::string::npos) {
    return base::fail(base::ErrorCode::kInvalid, "name must be 1 to 128 characters without a colon");
  }
  if (admin.password.size() < kPasswordCharactersMin) {
    return base::fail(base::ErrorCode::kInvalid, "password must have at least 8 characters");
  }
  if (!admin.api_key.empty() && admin.api_key.size() < kKeyCharactersMin) {
    return base::fail(base::ErrorCode::kInvalid, "api_key must have at least 16 characters, or be left out");
  }
  return admin;
}

std::optional<http::Response> Access::check(http::Request& request) {
  request.headers.erase(kAuthorHeader);
  if (public_paths_.contains(request.path)) {
    return std::nullopt;
  }
  const auto address = request.remote_address.substr(0, kAddressCharactersMax);
  // Before the credentials are looked at: who guesses does not learn that a guess was right.
  if (const auto wait = waitOf(address); wait > 0) {
    return toResponse(
        Refused{429, statusTitle(429), "too many failed attempts from this address", "", "11.2", {{"Retry-After", std::to_string(wait)}}});
  }
  const auto header = request.headers.find("authorization");
  if (header != request.headers.end() && isValid(header->second)) {
    request.headers[kAuthorHeader] = admin_.name;
    return std::nullopt;
  }
  if (header != request.headers.end()) {  // else no credentials were tried: a browser's first request
    countFailure(address);
  }
  return challenge();
}

bool Access::isValid(const std::string& authorization) const {
  if (authorization.size() > kAuthorizationCharactersMax) {
    return false;
  }
  if (const auto key = afterScheme(authorization, "bearer")) {
    return !admin_.api_key.empty() && base::isSameSecret(admin_.api_key, *key);
  }
  const auto basic = afterScheme(authorization, "basic");
  const auto pair = basic ? fromBase64(*basic, kBase64) : std::nullopt;
  const auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return false;
  }
  const bool name = base::isSameSecret(admin_.name, pair->substr(0, colon));
  const bool password = base::isSameSecret(admin_.password, pair->substr(colon + 1));
  return name && password;
}

std::int64_t Access::waitOf(const std::string& address) {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(address);
  if (found == failures_.end() || found->second.count < settings_.failures_per_minute_max) {
    return 0;
  }
  const auto left = found->second.window_end - clock_.monotonic();
  return left.count() <= 0 ? 0 : std::chrono::ceil<std::chrono::seconds>(left).count();
}

void Access::countFailure(const std::string& address) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  if (failures_.size() >= kAddressesMax) {
    std::erase_if(failures_, [now](const auto& entry) { return entry.second.window_end <= now; });
  }
  // A table full of running counts forgets the oldest. Were they counted together, one client could have the others refused.
  if (failures_.size() >= kAddressesMax && !failures_.contains(address)) {
    failures_.erase(std::min_element(failures_.begin(), failures_.end(),
                                     [](const auto& left, const auto& right) { return left.second.window_end < right.second.window_end; }));
  }
  auto& failures = failures_[address];
  if (failures.window_end <= now) {
    failures = {0, now + std::chrono::minutes(1)};
  }
  ++failures.count;
}

}  // namespace tollgate::admin_api
