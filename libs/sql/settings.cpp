#include "libs/sql/settings.hpp"

#include <string>

namespace tollgate::sql {

using std::chrono::milliseconds;

PoolSettings readSettings(config::Loader& loader) {
  PoolSettings settings;
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

}  // namespace tollgate::sql
