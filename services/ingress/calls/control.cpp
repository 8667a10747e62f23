#include "services/ingress/calls/control.hpp"

#include <utility>

#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "services/ingress/intake/intake.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::ingress {
namespace {

constexpr std::size_t kAuthorMax = 128;

template <class Message>
bool parse(Message& message, std::string_view data) {
  return message.ParseFromArray(data.data(), static_cast<int>(data.size()));
}

}  // namespace

Control::Control(bus::Connection& connection, sofia::Loop& loop, Calls& calls, const CallReport& report, std::string instance)
    : connection_(connection), loop_(loop), calls_(calls), report_(report), instance_(std::move(instance)) {}

base::Result<void> Control::start() {
  TG_TRY(listen("hangup", &Control::hangUp));
  TG_TRY(listen("report_calls", &Control::reportCalls));
  TG_TRY(listen("drain", &Control::drain));
  return listen("log_level", &Control::setLogLevel);
}

base::Result<void> Control::listen(std::string_view verb, Handler handler) {
  TG_TRY_ASSIGN(subscription,
                connection_.subscribe(bus::subjects::control("ingress", verb), "", [this, handler](const bus::Delivery& message) {
                  (this->*handler)(message.data, std::string(message.reply_to));
                }));
  subscriptions_.push_back(std::move(subscription));
  return {};
}

void Control::hangUp(std::string_view data, const std::string& reply_to) {
  control::v1::HangupRequest request;
  if (!parse(request, data)) {
    return;
  }
  (void)loop_.post([this, request = std::move(request), reply_to] {
    if (calls_.hangUp(request.call_id(), plainText(request.author(), kAuthorMax))) {
      control::v1::HangupReply reply;
      reply.set_done(true);
      answer(reply_to, reply);
    }
  });
}

void Control::reportCalls(std::string_view data, const std::string& reply_to) {
  control::v1::ReportCallsRequest request;
  if (!parse(request, data) || reply_to.empty()) {
    return;
  }
  (void)loop_.post([this, request = std::move(request), reply_to] { sendPiece(request, reply_to, 0); });
}

// Loop thread. The next piece is a task of its own, so that calls go on between two of them.
void Control::sendPiece(const control::v1::ReportCallsRequest& request, const std::string& reply_to, std::size_t first) {
  const auto piece = report_.report(request, first, calls_.isDraining());
  if (piece.next == 0 || piece.reply.calls_size() > 0) {
    answer(reply_to, piece.reply);
  }
  if (piece.next != 0) {
    (void)loop_.post([this, request, reply_to, next = piece.next] { sendPiece(request, reply_to, next); });
  }
}

void Control::drain(std::string_view data, const std::string& reply_to) {
  control::v1::DrainRequest request;
  if (!parse(request, data) || (!request.instance().empty() && request.instance() != instance_)) {
    return;
  }
  (void)loop_.post([this, reply_to] {
    calls_.startDraining();
    control::v1::DrainReply reply;
    reply.set_instance(instance_);
    answer(reply_to, reply);
  });
}

void Control::setLogLevel(std::string_view data, const std::string& reply_to) {
  control::v1::LogLevelRequest request;
  if (!parse(request, data)) {
    return;
  }
  const auto level = telemetry::parseLevel(request.level());
  if (!level) {
    return;
  }
  telemetry::setLevel(*level);
  control::v1::LogLevelReply reply;
  reply.set_instance(instance_);
  answer(reply_to, reply);
}

void Control::answer(const std::string& reply_to, const google::protobuf::MessageLite& message) {
  if (!reply_to.empty()) {
    (void)connection_.publish(reply_to, message.SerializeAsString());
  }
}

}  // namespace tollgate::ingress
