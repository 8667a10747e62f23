#include "services/billing/accounts/account_loader.hpp"

#include <algorithm>

#include "libs/base/clock.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/wire.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kPoll{100};
constexpr std::chrono::milliseconds kRetry{500};
// A report older than this may hold calls whose ended mark is gone again: give up and ask anew.
constexpr std::chrono::seconds kRoundMax{20};

std::string recordOf(const std::string& instance, const control::v1::LiveCall& call) {
  call::v1::CallAnswered answered;
  answered.mutable_header()->set_call_id(call.call_id());
  answered.mutable_header()->set_instance(instance);
  call::v1::CallRecord& record = *answered.mutable_record();
  record.set_customer_id(call.customer_id());
  record.set_trunk_id(call.trunk_id());
  record.set_carrier_trunk_id(call.carrier_trunk_id());
  record.set_caller_in(call.caller());
  record.set_called_rated(call.called());
  record.set_source_address(call.source_address());
  record.set_endpoint(call.endpoint());
  record.set_paid_seconds(call.paid_seconds());
  *record.mutable_rate() = call.rate();
  *record.mutable_setup_at() = call.setup_at();
  if (call.has_answered_at()) {
    *record.mutable_answered_at() = call.answered_at();
  }
  return answered.SerializeAsString();
}

}  // namespace

void AccountLoader::start() {
  thread_ = std::thread([this] { run(); });
}

void AccountLoader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void AccountLoader::onMissing(base::CustomerId) {
  parts_.metrics.accounts_missing.add();
  {
    const std::lock_guard lock(mutex_);
    check_all_ = true;
  }
  changed_.notify_all();
}

void AccountLoader::onCreated(const std::vector<base::CustomerId>& customers) {
  {
    const std::lock_guard lock(mutex_);
    if (loaded_) {
      created_.insert(customers.begin(), customers.end());
    } else {
      check_all_ = true;  // the first load: these may have calls
    }
  }
  changed_.notify_all();
}

void AccountLoader::run() {
  for (;;) {
    bool all = false;
    std::set<base::CustomerId> created;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kPoll, [this] { return stopping_ || check_all_ || !created_.empty(); });
      if (stopping_) {
        return;
      }
      all = std::exchange(check_all_, false);
      created.swap(created_);
    }
    watchRedis();
    base::Result<void> outcome;
    if (!created.empty()) {
      outcome = loadCreated({created.begin(), created.end()});
    }
    if (outcome && all) {
      outcome = checkAll();
    }
    if (!outcome) {
      telemetry::warn("accounts cannot be loaded yet", {{"error", outcome.error().message}});
      std::unique_lock lock(mutex_);
      check_all_ = check_all_ || all;
      created_.insert(created.begin(), created.end());
      changed_.wait_for(lock, kRetry, [this] { return stopping_; });
    }
  }
}

// Whatever Redis was, after a new connection it may be another one.
void AccountLoader::watchRedis() {
  const bool connected = parts_.redis.isConnected();
  if (connected && !redis_was_connected_) {
    const std::lock_guard lock(mutex_);
    check_all_ = true;
  }
  redis_was_connected_ = connected;
}

base::Result<void> AccountLoader::loadCreated(const std::vector<base::CustomerId>& customers) {
  TG_TRY_ASSIGN(missing, parts_.store.waitMissing(customers));
  return write(missing, Report());
}

base::Result<void> AccountLoader::checkAll() {
  const std::shared_ptr<const Snapshot> snapshot = parts_.snapshots.get();
  if (!snapshot) {
    return base::fail(base::ErrorCode::kUnavailable, "no configuration yet");
  }
  const std::vector<base::CustomerId>& customers = *snapshot->customer_ids;
  TG_TRY_ASSIGN(missing, parts_.store.waitMissing(customers));
  if (!missing.empty()) {
    const auto began = std::chrono::steady_clock::now();
    telemetry::info("accounts are missing in Redis, asking for the live calls", {{"accounts", static_cast<std::int64_t>(missing.size())}});
    Report report = askIngress(*snapshot);
    TG_TRY(parts_.intake.waitCaughtUp(kRoundMax / 2));
    TG_TRY(write(missing, std::move(report)));
    if (std::chrono::steady_clock::now() - began > kRoundMax) {
      telemetry::warn("loading the accounts took longer than it should");
    }
  }
  if (!loaded_ || missing.size() != customers.size()) {
    TG_TRY(refresh(customers));
  }
  loaded_ = true;
  return {};
}

AccountLoader::Report AccountLoader::askIngress(const Snapshot& snapshot) {
  const control::v1::ReportCallsRequest request;
  const auto replies = bus::gatherReplies(parts_.connection, bus::subjects::control("ingress", "report_calls"), request.SerializeAsString(),
                                          0, parts_.settings.report_wait);
  Report report;
  for (const std::string& bytes : replies) {
    control::v1::ReportCallsReply reply;
    if (!reply.ParseFromString(bytes)) {
      telemetry::error("unreadable report of an ingress");
      continue;
    }
    for (const control::v1::LiveCall& call : reply.calls()) {
      addCall(snapshot, reply.instance(), call, report);
    }
  }
  return report;
}

void AccountLoader::addCall(const Snapshot& snapshot, const std::string& instance, const control::v1::LiveCall& call, Report& report) {
  const base::CustomerId customer(call.customer_id());
  // Before its reserve there is nothing to hold; such a call will find the account missing or written.
  if (!customer.isSet() || !call.has_rate()) {
    return;
  }
  const bool over = call.phase() == control::v1::CALL_PHASE_ENDING;
  AccountOrder::Hold hold;
  hold.call = call.call_id();
  hold.trunk = base::TrunkId(call.trunk_id());
  hold.amount_micros = std::max<std::int64_t>(call.held_micros(), 0);
  if (call.has_answered_at()) {
    const auto talked = base::SystemClock().wall() - fromWire(call.answered_at());
    hold.confirmed_seconds = std::clamp<std::int64_t>(money::roundUpSeconds(talked).count(), 0, call.paid_seconds());
  }
  hold.uses_slot = !over;
  hold.record = recordOf(instance, call);
  report.holds[customer].push_back(std::move(hold));
  const TrunkView* carrier = snapshot.trunks.find(base::TrunkId(call.carrier_trunk_id()));
  if (carrier != nullptr && !over) {
    report.outgoing[carrier->customer].push_back({call.call_id(), carrier->id});
  }
}

base::Result<std::map<base::CustomerId, AccountSum>> AccountLoader::readLedger(const std::vector<base::CustomerId>& customers) {
  return parts_.pool.use<std::map<base::CustomerId, AccountSum>>([&](sql::Session& session) { return readSums(session, customers); });
}

base::Result<void> AccountLoader::write(const std::vector<base::CustomerId>& customers, Report report) {
  if (customers.empty()) {
    return {};
  }
  TG_TRY_ASSIGN(sums, readLedger(customers));
  for (const base::CustomerId customer : customers) {
    AccountOrder order;
    order.customer = customer;
    order.posted_micros = sums[customer].balance_micros;
    order.version = sums[customer].version;
    order.holds = std::move(report.holds[customer]);
    order.outgoing = std::move(report.outgoing[customer]);
    TG_TRY(parts_.store.waitLoad(order));
    parts_.metrics.accounts_loaded.add();
  }
  telemetry::info("accounts loaded", {{"accounts", static_cast<std::int64_t>(customers.size())}});
  return {};
}

// Posted values that Redis missed while it, or we, were away.
base::Result<void> AccountLoader::refresh(const std::vector<base::CustomerId>& customers) {
  if (customers.empty()) {
    return {};
  }
  TG_TRY_ASSIGN(sums, readLedger(customers));
  for (const auto& [customer, sum] : sums) {
    if (sum.version != 0) {
      TG_TRY(parts_.store.waitSettle({customer, sum.balance_micros, sum.version, {}}));
    }
  }
  return {};
}

}  // namespace tollgate::billing
