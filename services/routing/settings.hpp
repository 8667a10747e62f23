// routing's settings. Start-up thread only.
#pragma once

#include "libs/config/loader.hpp"
#include "libs/feed/settings.hpp"

namespace tollgate::routing {

struct Settings {
  feed::SnapshotSettings snapshot;
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::routing
