// The client settings that belong to a server of the testkit. Header only: who includes it links the client libraries. Thread: any.
#pragma once

#include "libs/bus/connection.hpp"
#include "libs/redis/client.hpp"
#include "libs/sql/sql.hpp"
#include "libs/testkit/servers.hpp"

namespace tollgate::testkit {

[[nodiscard]] inline bus::ConnectionSettings settingsOf(const NatsServer& server) {
  bus::ConnectionSettings settings;
  settings.url = server.url();
  settings.name = "test";
  return settings;
}

[[nodiscard]] inline redis::ClientSettings settingsOf(const RedisServer& server) {
  redis::ClientSettings settings;
  settings.host = server.host();
  settings.port = server.port();
  return settings;
}

[[nodiscard]] inline sql::PoolSettings settingsOf(const MariaDb& server) {
  sql::PoolSettings settings;
  settings.host = server.host();
  settings.port = server.port();
  settings.user = server.user();
  settings.password = server.password();
  settings.database = server.database();
  return settings;
}

}  // namespace tollgate::testkit
