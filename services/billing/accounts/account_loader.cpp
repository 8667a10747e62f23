#include "services/billing/accounts/account_loader.hpp"

#include <algorithm>

#include "libs/base/clock.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/accounts/live_calls.hpp"
#include "services/billing/wire.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kPoll{100};
constexpr std::chrono::milliseconds kRetry{500};
// An older report may contain calls whose ended mark has expired; then the round must begin again.
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
  worker_.start("account_loader", [this] { run(); });
}

void AccountLoader::stop() {
  worker_.stop();
}

void AccountLoader::onMissing(base::CustomerId) {
  deps_.metrics.accounts_missing.add();
  {
    const std::lock_guard lock(mutex_);
    check_all_ = true;
  }
  worker_.wake();
}

void AccountLoader::onCreated(const std::vector<base::CustomerId>& customers) {
  {
    const std::lock_guard lock(mutex_);
    if (loaded_) {
      created_.insert(customers.begin(), customers.end());
    } else {
      check_all_ = true;  // before the first load is complete any customer may have calls
    }
  }
  worker_.wake();
}

void AccountLoader::run() {
  while (worker_.waitFor(kPoll)) {
    bool all = false;
    std::set<base::CustomerId> created;
    {
      const std::lock_guard lock(mutex_);
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
    setError(outcome ? std::string() : outcome.error().message);
    if (!outcome) {
      telemetry::warn("accounts not loaded, it will be tried again", {{"error", outcome.error().message}});
      {
        const std::lock_guard lock(mutex_);
        check_all_ = check_all_ || all;
        created_.insert(created.begin(), created.end());
      }
      static_cast<void>(worker_.pauseFor(kRetry));
      worker_.wake();  // for what was put back
    }
  }
}

std::string AccountLoader::error() const {
  const std::lock_guard lock(mutex_);
  return loaded_ || !error_.empty() ? error_ : "accounts are being loaded";
}

void AccountLoader::setError(std::string error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
}

// After a new connection it may be a different Redis server, or one that has restarted empty.
void AccountLoader::watchRedis() {
  const bool connected = deps_.redis.isConnected();
  if (connected && !redis_was_connected_) {
    {
      const std::lock_guard lock(mutex_);
      check_all_ = true;
    }
    worker_.wake();
  }
  redis_was_connected_ = connected;
}

base::Result<void> AccountLoader::loadCreated(const std::vector<base::CustomerId>& customers) {
  TG_TRY_ASSIGN(missing, deps_.store.waitMissing(customers));
  return write(missing, Report());
}

base::Result<void> AccountLoader::checkAll() {
  const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
  if (!snapshot) {
    return base::fail(base::ErrorCode::kUnavailable, "no configuration has been loaded yet");
  }
  const std::vector<base::CustomerId>& customers = *snapshot->customer_ids;
  TG_TRY_ASSIGN(missing, deps_.store.waitMissing(customers));
  if (!missing.empty()) {
    const auto began = std::chrono::steady_clock::now();
    telemetry::info("accounts are missing in Redis, live calls requested", {{"accounts", static_cast<std::int64_t>(missing.size())}});
    TG_TRY_ASSIGN(report, askIngress(*snapshot));
    TG_TRY(deps_.intake.waitCaughtUp(kRoundMax / 2));
    TG_TRY(write(missing, std::move(report)));
    if (std::chrono::steady_clock::now() - began > kRoundMax) {
      telemetry::warn("loading the accounts took too long");
    }
  }
  if (!loaded_ || missing.size() != customers.size()) {
    TG_TRY(refresh(customers));
  }
  loaded_ = true;
  return {};
}

// Every instance that may hold calls must have told all of them: silence is not "no calls".
base::Result<AccountLoader::Report> AccountLoader::askIngress(const Snapshot& snapshot) {
  if (!deps_.presence_watch.isRecalled()) {
    return base::fail(base::ErrorCode::kUnavailable, "the ingress instances that were known before are not read yet");
  }
  Report report;
  const auto answers = askForCalls(deps_.connection, {}, deps_.settings.report_wait);
  for (const auto& [instance, answer] : answers) {
    for (const auto& [id, call] : answer.calls) {
      addCall(snapshot, instance, call, report);
    }
  }
  for (const std::string& instance : deps_.presence.mayHoldCalls()) {
    const auto answer = answers.find(instance);
    if (answer == answers.end() || !answer->second.is_complete) {
      return base::fail(base::ErrorCode::kUnavailable, "ingress " + instance + " has not reported its calls");
    }
  }
  return report;
}

void AccountLoader::addCall(const Snapshot& snapshot, const std::string& instance, const control::v1::LiveCall& call,
                            Report& report) const {
  const Settings& settings = deps_.settings;
  const base::CustomerId customer(call.customer_id());
  // A call without a rate has not been reserved: it holds nothing.
  if (!customer.isSet() || !call.has_rate()) {
    return;
  }
  const bool over = call.phase() == control::v1::CALL_PHASE_ENDING;
  AccountOrder::Hold hold;
  hold.call = call.call_id();
  hold.trunk = base::TrunkId(call.trunk_id());
  hold.amount_micros = std::max<std::int64_t>(call.held_micros(), 0);
  if (call.has_answered_at()) {
    const auto talked = base::SystemClock().wall() - wire::fromWire(call.answered_at());
    hold.confirmed_seconds = std::clamp<std::int64_t>(money::roundUpSeconds(talked).count(), 0, call.paid_seconds());
  }
  hold.uses_slot = !over;
  const auto left = std::chrono::seconds(call.paid_seconds() - hold.confirmed_seconds);
  hold.promised_for = std::min<std::chrono::milliseconds>(left, settings.outage_window + settings.quantum) + settings.hold_grace;
  hold.instance = instance;
  hold.record = recordOf(instance, call);
  report.holds[customer].push_back(std::move(hold));
  const TrunkView* carrier = snapshot.trunks.find(base::TrunkId(call.carrier_trunk_id()));
  if (carrier != nullptr && !over) {
    report.outgoing[carrier->customer].push_back({call.call_id(), carrier->id});
  }
}

base::Result<std::map<base::CustomerId, AccountSum>> AccountLoader::readLedger(const std::vector<base::CustomerId>& customers) {
  return deps_.pool.use<std::map<base::CustomerId, AccountSum>>([&](sql::Session& session) { return readSums(session, customers); });
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
    TG_TRY(deps_.store.waitLoad(order));
    deps_.metrics.accounts_loaded.add();
  }
  telemetry::info("accounts loaded", {{"accounts", static_cast<std::int64_t>(customers.size())}});
  return {};
}

// Balances that changed while Redis or this process was not running.
base::Result<void> AccountLoader::refresh(const std::vector<base::CustomerId>& customers) {
  if (customers.empty()) {
    return {};
  }
  TG_TRY_ASSIGN(sums, readLedger(customers));
  for (const auto& [customer, sum] : sums) {
    if (sum.version != 0) {
      TG_TRY(deps_.store.waitSettle({customer, sum.balance_micros, sum.version, {}}));
    }
  }
  return {};
}

}  // namespace tollgate::billing
