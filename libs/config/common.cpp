#include "libs/config/common.hpp"

#include <string>

namespace tollgate::config {

using std::chrono::milliseconds;

bus::ConnectionSettings busSettings(Loader& loader, std::string_view client_name) {
  bus::ConnectionSettings settings;
  settings.url = loader.text("nats_url", "nats://127.0.0.1:4222", "where the bus is; several servers with commas between");
  settings.user = loader.text("nats_user", "", "the service's own NATS user");
  settings.password = loader.secret("nats_password", "password of nats_user");
  settings.ca_file = loader.text("nats_ca_file", "", "CA of the bus; given = TLS with host name check");
  settings.name = client_name;
  if (settings.url.rfind("nats://", 0) != 0 && settings.url.rfind("tls://", 0) != 0) {
    loader.refuse("nats_url", "must begin with nats:// or tls://");
  }
  return settings;
}

redis::ClientSettings redisSettings(Loader& loader) {
  redis::ClientSettings settings;
  settings.host = loader.text("redis_host", settings.host, "host name or address of Redis");
  settings.port = loader.port("redis_port", settings.port, "port of Redis");
  settings.user = loader.text("redis_user", "", "the service's own Redis ACL user; empty = default user");
  settings.password = loader.secret("redis_password", "password of redis_user");
  settings.command_timeout =
      loader.duration("redis_timeout", settings.command_timeout, milliseconds{10}, milliseconds{30000}, "deadline of one Redis command");
  return settings;
}

sql::PoolSettings sqlSettings(Loader& loader) {
  sql::PoolSettings settings;
  settings.host = loader.text("mysql_host", settings.host, "host name or address of MySQL");
  settings.port = loader.port("mysql_port", settings.port, "port of MySQL");
  settings.user = loader.text("mysql_user", "tollgate_" + loader.service(), "the service's own MySQL user");
  settings.password = loader.secret("mysql_password", "password of mysql_user");
  settings.database = loader.text("mysql_database", "tollgate", "database name");
  settings.ca_file = loader.text("mysql_ca_file", "", "CA of MySQL; given = TLS with host name check");
  const auto connections = loader.integer("mysql_connections", static_cast<std::int64_t>(settings.connections_max), 1, 256,
                                          "most connections to MySQL at a time");
  settings.connections_max = static_cast<std::size_t>(connections);
  const milliseconds timeout = loader.duration("mysql_timeout", settings.timeout, milliseconds{1000}, milliseconds{600000},
                                               "longest wait for MySQL to connect, read or write; whole seconds");
  settings.timeout = std::chrono::ceil<std::chrono::seconds>(timeout);
  return settings;
}

}  // namespace tollgate::config
