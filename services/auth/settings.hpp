// auth's settings; the defaults stand here and nowhere else. Start-up thread only.
#pragma once

#include <cstdint>

#include "libs/config/loader.hpp"
#include "libs/feed/settings.hpp"

namespace tollgate::auth {

struct Settings {
  feed::SnapshotSettings snapshot;
  std::int64_t networks_bytes_max = 6'000'000;  // of the list of networks, encoded
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::auth
