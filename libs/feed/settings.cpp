#include "libs/feed/settings.hpp"

#include <string>

#include "libs/bus/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::feed {

std::chrono::milliseconds readPoll(config::Loader& loader) {
  using std::chrono::milliseconds;
  return loader.duration("feed_poll", kPollDefault, milliseconds(10), std::chrono::minutes(1),
                         "how often to look for configuration changes whose event was missed");
}

SnapshotSettings readSnapshotSettings(config::Loader& loader) {
  SnapshotSettings settings;
  settings.bus = bus::readSettings(loader, "tollgate-" + loader.service());
  settings.sql = sql::readSettings(loader);
  settings.poll = readPoll(loader);
  return settings;
}

}  // namespace tollgate::feed
