#include "services/ingress/calls/control.hpp"

#include <memory>
#include <utility>

#include "libs/telemetry/log.hpp"
#include "services/ingress/intake/intake.hpp"

namespace tollgate::ingress {
namespace {

constexpr std::size_t kAuthorMax = 128;

}  // namespace

Control::Control(bus::Connection& connection, sofia::Loop& loop, Calls& calls, const CallReport& report, std::string instance,
                 IsReplaying is_replaying)
    : connection_(connection),
      loop_(loop),
      calls_(calls),
      report_(report),
      instance_(std::move(instance)),
      is_replaying_(std::move(is_replaying)) {}

base::Result<void> Control::start() {
  TG_TRY_ASSIGN(subscriptions, bus::serveControl<control::v1::Ingress>(connection_, *this));
  subscriptions_ = std::move(subscriptions);
  return {};
}

// Every verb drops the request when the loop's inbox is full, because the asker waits for a limited time and asks again.
void Control::hangup(const control::v1::HangupRequest& request, bus::ControlReplier<control::v1::HangupReply> replier) {
  (void)loop_.post([this, request, replier = std::move(replier)] {
    if (calls_.hangUp(request.call_id(), plainText(request.author(), kAuthorMax))) {
      control::v1::HangupReply reply;
      reply.set_done(true);
      replier.reply(reply);
    }
  });
}

struct Control::Report {
  control::v1::ReportCallsRequest request;
  bus::ControlReplier<control::v1::ReportCallsReply> replier;
  CallReport::Cursor cursor;
  std::uint32_t sent = 0;
};

void Control::reportCalls(const control::v1::ReportCallsRequest& request, bus::ControlReplier<control::v1::ReportCallsReply> replier) {
  if (replier.isWanted() && (request.instance().empty() || request.instance() == instance_)) {
    auto report = std::make_shared<Report>(Report{request, std::move(replier), {}, 0});  // shared by the tasks of its pieces
    (void)loop_.post([this, report = std::move(report)] { sendPiece(report); });
  }
}

// Loop thread. Each piece is a task of its own, so that calls are handled between two pieces. Pieces without a call are left out.
void Control::sendPiece(const std::shared_ptr<Report>& report) {
  auto reply = report_.report(report->request, report->cursor);
  if (reply.is_last() || reply.total() > 0) {
    reply.set_draining(calls_.isDraining());
    reply.set_replaying(is_replaying_());
    reply.set_piece(report->sent++);
    report->replier.reply(reply);
  }
  if (!reply.is_last()) {
    (void)loop_.post([this, report] { sendPiece(report); });
  }
}

void Control::drain(const control::v1::DrainRequest& request, bus::ControlReplier<control::v1::DrainReply> replier) {
  if (!request.instance().empty() && request.instance() != instance_) {
    return;
  }
  (void)loop_.post([this, replier = std::move(replier)] {
    calls_.startDraining();
    control::v1::DrainReply reply;
    reply.set_instance(instance_);
    replier.reply(reply);
  });
}

void Control::logLevel(const control::v1::LogLevelRequest& request, const bus::ControlReplier<control::v1::LogLevelReply>& replier) {
  const auto level = telemetry::parseLevel(request.level());
  if (!level) {
    return;
  }
  telemetry::setLevel(*level);
  control::v1::LogLevelReply reply;
  reply.set_instance(instance_);
  replier.reply(reply);
}

}  // namespace tollgate::ingress
