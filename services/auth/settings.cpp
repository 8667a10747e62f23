#include "services/auth/settings.hpp"

#include "libs/bus/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::auth {

Settings readSettings(config::Loader& loader) {
  using std::chrono::milliseconds;
  Settings settings;
  settings.bus = bus::readSettings(loader, "tollgate-auth");
  settings.sql = sql::readSettings(loader);
  settings.feed_poll = loader.duration("feed_poll", milliseconds(500), milliseconds(10), milliseconds(60'000),
                                       "how often to look for configuration changes whose event was missed");
  settings.networks_bytes_max = static_cast<std::size_t>(
      loader.integer("networks_bytes_max", 6'000'000, 10'000, 60'000'000,
                     "longest list of authorised networks in one reply, encoded; below max_payload of the bus server"));
  return settings;
}

}  // namespace tollgate::auth
