// The declared settings of the connections to MySQL: one name and one default in every service. Start-up thread only.
#pragma once

#include "libs/config/loader.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::sql {

// mysql_host, mysql_port, mysql_user, mysql_password_file, mysql_database, mysql_ca_file, mysql_connections, mysql_timeout.
// Errors: a wrong value is an error of loader.finish(); its default is returned meanwhile.
[[nodiscard]] PoolSettings readSettings(config::Loader& loader);

}  // namespace tollgate::sql
