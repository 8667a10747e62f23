// tg.ctl.ingress.v1.{hangup,report_calls,drain,log_level}: every instance hears them, only the owner of a call answers hangup. Handlers run
// on bus threads and hand over to the loop. start() and stop(): main thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"
#include "libs/sofia/loop.hpp"
#include "services/ingress/calls/calls.hpp"
#include "services/ingress/records/call_report.hpp"

namespace tollgate::ingress {

class Control {
 public:
  Control(bus::Connection& connection, sofia::Loop& loop, Calls& calls, const CallReport& report, std::string instance);

  [[nodiscard]] base::Result<void> start();
  void stop() { subscriptions_.clear(); }

 private:
  using Handler = void (Control::*)(std::string_view data, const std::string& reply_to);
  [[nodiscard]] base::Result<void> listen(std::string_view verb, Handler handler);
  void hangUp(std::string_view data, const std::string& reply_to);
  void reportCalls(std::string_view data, const std::string& reply_to);
  void drain(std::string_view data, const std::string& reply_to);
  void setLogLevel(std::string_view data, const std::string& reply_to);
  void sendPiece(const control::v1::ReportCallsRequest& request, const std::string& reply_to, std::size_t first);
  void answer(const std::string& reply_to, const google::protobuf::MessageLite& message);

  // Passed in.
  bus::Connection& connection_;
  sofia::Loop& loop_;
  Calls& calls_;
  const CallReport& report_;
  const std::string instance_;
  // Owned.
  std::vector<bus::Subscription> subscriptions_;
};

}  // namespace tollgate::ingress
