// What the ingress instances say about the calls they have. An answer is complete when all its pieces have come, up to the one that says it
// is the last: no answer never means "no calls" (REQUIREMENTS 9.4, 9.5).
// Threads: worker threads only, it blocks. Owns nothing.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "libs/bus/connection.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::billing {

struct LiveCalls {
  bool is_complete = false;
  bool is_replaying = false;                           // calls that are not listed may still have a record of an earlier run
  std::map<std::string, control::v1::LiveCall> calls;  // by call id
};

// By instance; those that did not answer are missing.
[[nodiscard]] std::map<std::string, LiveCalls> askForCalls(bus::Connection& connection, const control::v1::ReportCallsRequest& request,
                                                           std::chrono::milliseconds time);

}  // namespace tollgate::billing
