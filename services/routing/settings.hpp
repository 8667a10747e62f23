// routing's settings. Start-up thread.
#pragma once

#include <chrono>

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::routing {

struct Settings {
  bus::ConnectionSettings bus;
  sql::PoolSettings sql;
  std::chrono::milliseconds feed_poll{1000};
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::routing
