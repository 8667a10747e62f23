#include "services/routing/settings.hpp"

#include "libs/config/common.hpp"

namespace tollgate::routing {

Settings readSettings(config::Loader& loader) {
  using std::chrono::milliseconds;
  Settings settings;
  settings.bus = config::busSettings(loader, "tollgate-routing");
  settings.sql = config::sqlSettings(loader);
  settings.feed_poll = loader.duration("feed_poll", milliseconds(500), milliseconds(10), milliseconds(60'000),
                                       "how often to look for configuration changes whose event was missed");
  return settings;
}

}  // namespace tollgate::routing
