#include "services/routing/settings.hpp"

#include "libs/bus/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::routing {

Settings readSettings(config::Loader& loader) {
  using std::chrono::milliseconds;
  Settings settings;
  settings.bus = bus::readSettings(loader, "tollgate-routing");
  settings.sql = sql::readSettings(loader);
  settings.feed_poll = loader.duration("feed_poll", milliseconds(500), milliseconds(10), milliseconds(60'000),
                                       "how often to look for configuration changes whose event was missed");
  return settings;
}

}  // namespace tollgate::routing
