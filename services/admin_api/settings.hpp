// The settings of admin_api, with their defaults in readSettings(). Start-up thread.
#pragma once

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"
#include "libs/http/server.hpp"
#include "libs/sql/sql.hpp"
#include "services/admin_api/api/access.hpp"
#include "services/admin_api/api/backend.hpp"

namespace tollgate::admin_api {

struct Settings {
  bus::ConnectionSettings bus;
  sql::PoolSettings sql;
  http::ServerSettings api;
  Admin admin;
  Access::Settings access;
  Timeouts timeouts;
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::admin_api
