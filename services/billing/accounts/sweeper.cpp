#include "services/billing/accounts/sweeper.hpp"

#include <algorithm>

#include "libs/base/ids.hpp"
#include "libs/base/text.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/accounts/live_calls.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

constexpr std::size_t kLeasesPerSweep = 500;
constexpr int kSweepsPerTurn = 20;
constexpr std::chrono::seconds kCatchUpMax{5};

std::int64_t wallMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

cdr::FinishedCall lostCall(const std::string& call, const std::string& known, std::int64_t confirmed_seconds, base::WallTime now) {
  cdr::FinishedCall lost;
  call::v1::CallAnswered answered;
  if (answered.ParseFromString(known)) {
    lost.header.Swap(answered.mutable_header());
    lost.record.Swap(answered.mutable_record());
  }
  lost.header.set_call_id(call);
  *lost.header.mutable_at() = wire::toWire(now);
  call::v1::CallRecord& record = lost.record;
  if (confirmed_seconds > 0 && !record.has_answered_at()) {
    // It has talked, so it was answered; this is the best guess of when.
    *record.mutable_answered_at() = wire::toWire(now - std::chrono::seconds(confirmed_seconds));
  }
  const auto talked = std::chrono::seconds(record.has_answered_at() ? confirmed_seconds : 0);
  *record.mutable_talked() = wire::toWire(talked);
  *record.mutable_ended_at() = record.has_answered_at() ? wire::toWire(wire::fromWire(record.answered_at()) + talked) : wire::toWire(now);
  if (confirmed_seconds > record.paid_seconds()) {
    record.set_paid_seconds(static_cast<std::uint32_t>(confirmed_seconds));
  }
  record.set_reason(common::v1::REASON_INSTANCE_LOST);
  record.set_ended_by(call::v1::ENDED_BY_TOLLGATE);
  *record.add_trace() = traceStep(
      "lease", "its ingress does not have the call any more: closed at " + std::to_string(talked.count()) + " confirmed seconds", false);
  return lost;
}

void Sweeper::start() {
  quiet_until_ = std::chrono::steady_clock::now() + deps_.settings.lease;
  worker_.start("sweeper", [this] { run(); });
}

void Sweeper::stop() {
  worker_.stop();
}

void Sweeper::run() {
  const auto every = std::clamp(deps_.settings.lease / 10, std::chrono::milliseconds(100), std::chrono::milliseconds(2000));
  while (worker_.waitFor(every)) {
    for (int round = 0; round < kSweepsPerTurn && mayClose(); ++round) {
      const auto swept = sweep();
      if (!swept) {
        telemetry::warn("leases cannot be examined", {{"error", swept.error().message}});
      }
      if (!swept || *swept < kLeasesPerSweep) {
        break;
      }
    }
  }
}

bool Sweeper::mayClose() {
  const auto now = std::chrono::steady_clock::now();
  if (!deps_.connection.isConnected() || !deps_.redis.isConnected() || !deps_.intake.isBound()) {
    quiet_until_ = now + deps_.settings.lease;
  }
  return now >= quiet_until_;
}

base::Result<std::size_t> Sweeper::sweep() {
  TG_TRY_ASSIGN(members, deps_.store.waitDueLeases(wallMilliseconds(), kLeasesPerSweep));
  std::map<std::string, std::vector<Silent>> by_instance;
  for (const std::string& member : members) {
    TG_TRY(inspect(member, by_instance));
  }
  std::vector<Silent> lost;
  for (auto& [instance, calls] : by_instance) {
    findLost(instance, std::move(calls), lost);
  }
  if (lost.empty()) {
    return members.size();
  }
  // Their end may be in the stream and not processed yet.
  TG_TRY(deps_.intake.waitCaughtUp(kCatchUpMax));
  for (const Silent& one : lost) {
    TG_TRY_ASSIGN(ended, deps_.store.waitEnded(one.call, one.customer));
    if (!ended) {
      close(one);
    }
  }
  return members.size();
}

// The entry of the index is the time of the next look: it may be outdated, the hold has the last heartbeat.
base::Result<void> Sweeper::inspect(const std::string& member, std::map<std::string, std::vector<Silent>>& by_instance) {
  const std::size_t colon = member.find(':');
  const auto customer = base::parseInteger(std::string_view(member).substr(0, colon));
  if (colon == std::string::npos || !customer) {
    return deps_.store.waitSetLease(member, std::nullopt);
  }
  Silent one{member.substr(colon + 1), base::CustomerId(*customer), {}};
  TG_TRY_ASSIGN(hold, deps_.store.waitExamine(one.call, one.customer));
  if (hold.status != HoldStatus::kHeld) {
    return deps_.store.waitSetLease(member, std::nullopt);
  }
  const auto lease = deps_.settings.lease;
  const auto next_look = hold.silent_for >= std::chrono::milliseconds(0) && hold.silent_for < lease ? lease - hold.silent_for : lease;
  TG_TRY(deps_.store.waitSetLease(member, wallMilliseconds() + next_look.count()));
  if (next_look == lease) {
    one.hold = std::move(hold);
    by_instance[one.hold.instance].push_back(std::move(one));
  }
  return {};
}

// Only the instance itself, or its certain end, says that a call is gone. What was promised to a call of a silent instance stays held until
// that has ended.
void Sweeper::findLost(const std::string& instance, std::vector<Silent> calls, std::vector<Silent>& lost) {
  const auto state = deps_.presence.of(instance);
  std::map<std::string, LiveCalls> answers;
  if (state != Presence::State::kStopped) {
    control::v1::ReportCallsRequest request;
    request.set_instance(instance);
    for (const Silent& one : calls) {
      request.add_call_ids(one.call);
    }
    answers = askForCalls(deps_.connection, request, deps_.settings.report_wait);
  }
  const auto answer = answers.find(instance);
  const bool has_answered = answer != answers.end() && answer->second.is_complete && !answer->second.is_replaying;
  for (Silent& one : calls) {
    const bool is_gone = has_answered                         ? !answer->second.calls.contains(one.call)
                         : state == Presence::State::kStopped ? true
                         : state == Presence::State::kSilent  ? one.hold.promised_for <= std::chrono::milliseconds(0)
                                                              : false;
    if (is_gone) {
      lost.push_back(std::move(one));
    }
  }
}

void Sweeper::close(const Silent& lost) {
  telemetry::warn("call closed because its ingress does not have it any more", {{"call_id", lost.call},
                                                                                {"customer", lost.customer.value()},
                                                                                {"instance", lost.hold.instance},
                                                                                {"confirmed_seconds", lost.hold.confirmed_seconds}});
  cdr::FinishedCall finished = lostCall(lost.call, lost.hold.record, lost.hold.confirmed_seconds, base::SystemClock().wall());
  finished.record.set_customer_id(lost.customer.value());
  deps_.committer.addLost(std::move(finished));
}

}  // namespace tollgate::billing
