#include "services/routing/settings.hpp"

namespace tollgate::routing {

Settings readSettings(config::Loader& loader) {
  return {feed::readSnapshotSettings(loader)};
}

}  // namespace tollgate::routing
