// The daily partitions of cdrs, cdr_attempts and cdr_traces. A call id begins with the time of the call's set-up and sorts by it, so a day
// is a range of call ids: the partition column is the primary key itself, and a look-up by call id reads one partition. Pure: any thread.
#pragma once

#include <string>

#include "libs/base/clock.hpp"

namespace tollgate::cdr {

// The smallest call id of a moment. Times before 1970 count as 1970.
[[nodiscard]] std::string firstIdOf(base::WallTime time);

// The last partition of each table: it takes what is later than the last day, so that no INSERT ever fails for want of a partition.
inline constexpr const char* kLastPartition = "p_next";

// One UTC day.
struct Day {
  std::string name;   // of its partition: p20261121
  std::string below;  // the smallest call id of the next day
};

// `days` after the UTC day of `now`; may be below 0.
[[nodiscard]] Day dayOf(base::WallTime now, int days);

}  // namespace tollgate::cdr
