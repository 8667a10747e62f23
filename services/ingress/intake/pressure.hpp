// May new calls be taken, or is the room for records needed by the calls that are there? (REQUIREMENTS 12.3) Pure: any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libs/spool/record_spool.hpp"

namespace tollgate::ingress {

struct PressureLimits {
  std::int64_t spool_bytes_max = 0;    // the bound of the spool
  std::size_t unstored_calls_max = 0;  // ended calls that may wait for the stream
};

// What a call in progress may still write: two records with attempts and trace. A typical call writes a quarter of this.
inline constexpr std::int64_t kRecordBytesPerCall = 16'000;

// True while new calls are refused: the bound of the spool less what the calls in progress may write is near, within a tenth of it, or too
// many ended calls wait. A refused call is then counted and leaves no record, so refusals never take the room of records that carry money.
[[nodiscard]] inline bool isOverloaded(const PressureLimits& limits, const spool::SpoolStats& spool, std::size_t live_calls,
                                       std::size_t unstored_calls) {
  const auto reserved = static_cast<std::int64_t>(live_calls) * kRecordBytesPerCall;
  return spool.disk_bytes + reserved >= limits.spool_bytes_max / 10 * 9 || unstored_calls >= limits.unstored_calls_max;
}

}  // namespace tollgate::ingress
