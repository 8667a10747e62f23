#include "libs/redis/settings.hpp"

namespace tollgate::redis {

using std::chrono::milliseconds;

ClientSettings readSettings(config::Loader& loader) {
  ClientSettings settings;
  settings.host = loader.text("redis_host", settings.host, "host name or address of Redis");
  settings.port = loader.port("redis_port", settings.port, "port of Redis");
  settings.user = loader.text("redis_user", "", "the service's own Redis ACL user; empty = default user");
  settings.password = loader.secret("redis_password", "password of redis_user");
  settings.command_timeout =
      loader.duration("redis_timeout", settings.command_timeout, milliseconds{10}, milliseconds{30000}, "deadline of one Redis command");
  return settings;
}

}  // namespace tollgate::redis
