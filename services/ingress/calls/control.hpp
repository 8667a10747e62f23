// Serves the control requests of the ingress (`service Ingress` in tollgate/control/v1/control.proto). The verbs run on bus threads and
// post to the loop. start() and stop(): main thread.
#pragma once

#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/control.hpp"
#include "libs/sofia/loop.hpp"
#include "services/ingress/calls/calls.hpp"
#include "services/ingress/records/call_report.hpp"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::ingress {

class Control {
 public:
  // Is a record of an earlier run not stored yet? Loop thread.
  using IsReplaying = std::function<bool()>;
  Control(bus::Connection& connection, sofia::Loop& loop, Calls& calls, const CallReport& report, std::string instance,
          IsReplaying is_replaying);

  // Errors: those of bus::Connection::subscribe().
  [[nodiscard]] base::Result<void> start();
  void stop() { subscriptions_.clear(); }

  void hangup(const control::v1::HangupRequest& request, bus::ControlReplier<control::v1::HangupReply> replier);
  void reportCalls(const control::v1::ReportCallsRequest& request, bus::ControlReplier<control::v1::ReportCallsReply> replier);
  void drain(const control::v1::DrainRequest& request, bus::ControlReplier<control::v1::DrainReply> replier);
  void logLevel(const control::v1::LogLevelRequest& request, const bus::ControlReplier<control::v1::LogLevelReply>& replier);

 private:
  struct Report;  // a request for the calls that is being answered
  void sendPiece(const std::shared_ptr<Report>& report);

  // Passed in.
  bus::Connection& connection_;
  sofia::Loop& loop_;
  Calls& calls_;
  const CallReport& report_;
  const std::string instance_;
  const IsReplaying is_replaying_;
  // Owned.
  std::vector<bus::Subscription> subscriptions_;
};

}  // namespace tollgate::ingress
