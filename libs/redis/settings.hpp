// The declared settings of the connection to Redis: one name and one default in every service. Start-up thread only.
#pragma once

#include "libs/config/loader.hpp"
#include "libs/redis/client.hpp"

namespace tollgate::redis {

// redis_host, redis_port, redis_user, redis_password_file, redis_timeout.
// Errors: a wrong value is an error of loader.finish(); its default is returned meanwhile.
[[nodiscard]] ClientSettings readSettings(config::Loader& loader);

}  // namespace tollgate::redis
