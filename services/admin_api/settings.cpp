#include "services/admin_api/settings.hpp"

#include "libs/base/limits.hpp"
#include "libs/bus/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::admin_api {

Settings readSettings(config::Loader& loader) {
  using std::chrono::milliseconds;
  Settings settings;
  settings.bus = bus::readSettings(loader, "tollgate-admin-api");
  settings.sql = sql::readSettings(loader);
  settings.api.port = loader.port("api_port", 8081, "port on 127.0.0.1 that the API listens on, for nginx in front of it");
  settings.api.threads = static_cast<std::size_t>(loader.integer("api_threads", 8, 1, 64, "requests answered at the same time"));
  settings.api.body_bytes_max = static_cast<std::size_t>(loader.integer(
      "api_body_bytes_max", static_cast<std::int64_t>(base::limits::kHttpBodyBytesMax), 1024, 64 << 20, "longest request body"));
  settings.api.proxy_secret = loader.secret(
      "api_proxy_secret",
      "secret by which nginx is recognised (X-Proxy-Secret); without it X-Real-IP is ignored and all clients count as one address");
  settings.access.failures_per_minute_max = static_cast<std::uint32_t>(
      loader.integer("auth_failures_per_minute", 20, 1, 10'000, "failed attempts of one address before it has to wait"));
  settings.timeouts.rpc =
      loader.duration("rpc_timeout", milliseconds(1000), milliseconds(10), milliseconds(30'000), "wait for another service");
  settings.timeouts.gather = loader.duration("gather_time", milliseconds(250), milliseconds(10), milliseconds(5000),
                                             "wait for the calls of all ingress instances");
  settings.timeouts.hangup = loader.duration("hangup_timeout", milliseconds(1000), milliseconds(10), milliseconds(10'000),
                                             "wait for the instance that owns the call to hang it up");
  const auto admin = Admin::parse(loader.secret(
      "bootstrap_admin", "JSON {\"name\", \"password\", \"api_key\"} of the one admin: HTTP Basic, and the key as bearer token"));
  if (admin) {
    settings.admin = *admin;
  } else {
    loader.refuse("bootstrap_admin_file", admin.error().message);
  }
  return settings;
}

}  // namespace tollgate::admin_api
