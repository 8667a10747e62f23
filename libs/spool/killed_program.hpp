// How killed_program and the test that kills it open the spool.
#pragma once

#include <chrono>
#include <string>

#include "libs/spool/record_spool.hpp"

namespace tollgate::spool {

inline SpoolSettings killedSettings(const std::string& directory) {
  SpoolSettings settings;
  settings.directory = directory;
  settings.retry_delay = std::chrono::milliseconds(20);
  settings.linger = std::chrono::milliseconds(1);
  settings.in_flight_max = 100'000;        // those that are never acknowledged are many
  settings.memory_bytes_max = 10'000'000;  // and some are read back from disk
  return settings;
}

}  // namespace tollgate::spool
