#include "services/auth/settings.hpp"

namespace tollgate::auth {

Settings readSettings(config::Loader& loader) {
  Settings settings;
  settings.snapshot = feed::readSnapshotSettings(loader);
  settings.networks_bytes_max =
      loader.integer("networks_bytes_max", settings.networks_bytes_max, 10'000, 60'000'000,
                     "longest list of authorised networks in one reply, encoded; below max_payload of the bus server");
  return settings;
}

}  // namespace tollgate::auth
