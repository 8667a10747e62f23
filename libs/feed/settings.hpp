// The settings of every service that answers from a snapshot of the configuration. Start-up thread only.
#pragma once

#include <chrono>

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

// How often to look for configuration changes whose event was missed: half of what REQUIREMENTS 3.8 leaves a change until it is in force.
inline constexpr std::chrono::milliseconds kPollDefault{500};

struct SnapshotSettings {
  bus::ConnectionSettings bus;
  sql::PoolSettings sql;
  std::chrono::milliseconds poll = kPollDefault;
};

// Declares feed_poll.
[[nodiscard]] std::chrono::milliseconds readPoll(config::Loader& loader);
// Declares feed_poll and the settings of bus and MySQL.
[[nodiscard]] SnapshotSettings readSnapshotSettings(config::Loader& loader);

}  // namespace tollgate::feed
