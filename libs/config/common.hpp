// The settings that several services share, declared in one place so that they have one name everywhere.
#pragma once

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"
#include "libs/redis/client.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::config {

// nats_url, nats_user, nats_password_file, nats_ca_file
[[nodiscard]] bus::ConnectionSettings busSettings(Loader& loader, std::string_view client_name);
// redis_host, redis_port, redis_user, redis_password_file, redis_timeout
[[nodiscard]] redis::ClientSettings redisSettings(Loader& loader);
// mysql_host, mysql_port, mysql_user, mysql_password_file, mysql_database, mysql_ca_file, mysql_connections, mysql_timeout
[[nodiscard]] sql::PoolSettings sqlSettings(Loader& loader);

}  // namespace tollgate::config
