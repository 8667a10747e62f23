// auth's settings. Start-up thread.
#pragma once

#include <chrono>
#include <cstddef>

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::auth {

struct Settings {
  bus::ConnectionSettings bus;
  sql::PoolSettings sql;
  std::chrono::milliseconds feed_poll{1000};
  std::size_t networks_bytes_max = 0;
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::auth
