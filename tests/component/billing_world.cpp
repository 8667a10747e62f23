#include "tests/component/billing_world.hpp"

#include <future>
#include <sstream>
#include <stdexcept>

#include "libs/bus/subjects.hpp"
#include "libs/wire/wire.hpp"

namespace tollgate::component {

namespace {

constexpr const char* kInstance = "ingress-1";

base::WallTime now() {
  return base::SystemClock().wall();
}

void fillHeader(call::v1::EventHeader& header, const std::string& call) {
  header.set_call_id(call);
  header.set_instance(kInstance);
  *header.mutable_at() = wire::toWire(now());
}

}  // namespace

BillingWorld::BillingWorld(const std::map<std::string, std::string>& environment) {
  events_ = bus::Connection::open(testkit::settingsOf(config_.nats()), bus::ConnectionKind::kEvents).value();
  client_ = std::make_unique<bus::RpcClient>(
      *events_, [](std::function<void()> task) { task(); }, bus::RpcClient::Options{});
  publisher_ = std::make_unique<bus::RecordPublisher>(*events_, std::chrono::seconds(2));
  redis_client_ = std::make_unique<redis::Client>(testkit::settingsOf(redis_));
  answerReports();
  makeConfiguration();

  testkit::ServiceProcess::Options options = config_.service("billing");
  options.environment["TOLLGATE_REDIS_HOST"] = redis_.host();
  options.environment["TOLLGATE_REDIS_PORT"] = std::to_string(redis_.port());
  options.environment["TOLLGATE_MYSQL_PORT"] = std::to_string(mysql_gate_.port());
  options.environment["TOLLGATE_HEARTBEAT"] = "1s";
  options.environment["TOLLGATE_LEASE"] = "3s";
  options.environment["TOLLGATE_OUTAGE_WINDOW"] = "0s";  // BillingWindow has one
  options.environment["TOLLGATE_HOLD_GRACE"] = "2s";
  options.environment["TOLLGATE_INSTANCE_GONE_AFTER"] = "3s";
  options.environment["TOLLGATE_STREAM_ACK_WAIT"] = "2s";
  options.environment["TOLLGATE_REPORT_WAIT"] = "200ms";
  options.environment["TOLLGATE_AUDIT_INTERVAL"] = "1s";
  options.environment["TOLLGATE_STORAGE_INTERVAL"] = "500ms";
  options.environment["TOLLGATE_MYSQL_BYTES_MAX"] = "1000000";
  options.environment.insert(environment.begin(), environment.end());
  billing_ = std::make_unique<testkit::ServiceProcess>(options);
}

void BillingWorld::stop() {
  reports_.reset();
  publisher_.reset();
  client_.reset();
  redis_client_.reset();
}

void BillingWorld::setSilent(bool is_silent) {
  const std::lock_guard lock(live_mutex_);
  is_silent_ = is_silent;
}

void BillingWorld::announce(bool stopped) {
  control::v1::InstanceAlive alive;
  alive.set_instance(kInstance);
  alive.set_stopped(stopped);
  if (!events_->publish(bus::subjects::instanceAlive(kInstance), alive.SerializeAsString())) {
    throw std::runtime_error("the announcement was not sent");
  }
}

void BillingWorld::makeConfiguration() {
  const std::string times = "UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)";
  config_.maria().runSql(
      "INSERT INTO rate_plans (id, name, currency, scope, created_at, updated_at) VALUES (1, 'Retail', 'USD', 'customer', " + times +
      "), (2, 'Carriers', 'USD', 'vendor', " + times + "), (3, 'Rupiah', 'IDR', 'customer', " + times +
      ");"
      "INSERT INTO rates (id, plan_id, prefix, valid_from, per_minute_micros, created_at, updated_at) VALUES "
      "(1, 1, '374', '2020-01-01', 60000, " +
      times + "), (2, 2, '', '2020-01-01', 30000, " + times + "), (3, 3, '', '2020-01-01', 1000000000000, " + times + ")");
}

void BillingWorld::answerReports() {
  reports_ = bus::hearControl<control::v1::Ingress::ReportCalls>(*events_, [this](const auto& request, const auto& replier) {
               control::v1::ReportCallsReply reply;
               reply.set_instance(kInstance);
               const std::lock_guard lock(live_mutex_);
               if (is_silent_ || (!request.instance().empty() && request.instance() != kInstance)) {
                 return;
               }
               for (const auto& [id, call] : live_) {
                 *reply.add_calls() = call;
               }
               reply.set_total(static_cast<std::uint32_t>(live_.size()));
               reply.set_is_last(true);
               replier.reply(reply);
             }).value();
}

bool BillingWorld::isInForce() {
  return billing_->metric("tollgate_billing_config_version").value_or(-1) >= static_cast<double>(config_.version());
}

Party BillingWorld::makeParty(const PartyOptions& options) {
  const Party party{next_id_, next_id_ * 10};
  currencies_[party.customer] = options.currency;
  ++next_id_;
  const std::string customer = std::to_string(party.customer);
  const std::string trunk = std::to_string(party.trunk);
  config_.save(
      "customer", party.customer,
      "INSERT INTO customers (id, name, country, currency, billing_type, credit_line_micros, unlimited, created_at, updated_at) VALUES (" +
          customer + ", 'Customer " + customer + "', 'AM', '" + options.currency + "', '" + options.billing_type + "', " +
          std::to_string(options.credit_line) + ", " + (options.unlimited ? "1" : "0") + ", UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))");
  config_.save("trunk", party.trunk,
               "INSERT INTO trunks (id, customer_id, name, rate_plan_id, vendor_rate_plan_id, max_concurrent_incoming, "
               "max_concurrent_outgoing, max_cps_incoming, created_at, updated_at) VALUES (" +
                   trunk + ", " + customer + ", 'Trunk " + trunk + "', " + options.rate_plan + ", 2, " + options.incoming_max + ", " +
                   options.outgoing_max + ", " + options.incoming_cps + ", UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))");
  if (!testkit::waitUntil([&] { return isInForce() && balance(party).has_value(); })) {
    throw std::runtime_error("the new customer is not in force: " + billing_->log());
  }
  return party;
}

void BillingWorld::save(std::string_view entity, std::int64_t id, const std::string& statements, std::string_view action) {
  config_.save(entity, id, statements, action);
  if (!testkit::waitUntil([&] { return isInForce(); }, kInForce * 3)) {
    throw std::runtime_error("the change is not in force: " + billing_->log());
  }
}

Party BillingWorld::makeCarrier(const std::string& outgoing_max) {
  PartyOptions options;
  options.outgoing_max = outgoing_max;
  return makeParty(options);
}

std::string BillingWorld::newCall() {
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
  return base::CallId::make(wall, random_).text();
}

base::Result<billing::v1::PostPaymentReply> BillingWorld::pay(const Party& party, std::int64_t micros, const std::string& key,
                                                              billing::v1::MovementKind kind, std::chrono::milliseconds limit) {
  billing::v1::PostPaymentRequest request;
  request.set_customer_id(party.customer);
  request.set_idempotency_key(key);
  request.set_kind(kind);
  request.mutable_amount()->set_micros(micros);
  const auto currency = currencies_.find(party.customer);
  request.mutable_amount()->set_currency(currency == currencies_.end() ? "USD" : currency->second);
  request.set_reference("wire 7");
  request.set_author("finance");
  TG_TRY_ASSIGN(reply, ask<billing::v1::Billing::PostPayment>("", request, limit));
  if (reply.not_posted()) {
    return base::fail(base::ErrorCode::kUnavailable, "billing has posted nothing");
  }
  return reply;
}

billing::v1::ReserveRequest BillingWorld::reserveRequest(const Party& party, const std::vector<Party>& carriers,
                                                         const std::string& called) {
  billing::v1::ReserveRequest request;
  request.set_customer_id(party.customer);
  request.set_trunk_id(party.trunk);
  request.set_called(called);
  request.set_caller("37499111222");
  *request.mutable_start() = wire::toWire(now());
  for (const Party& carrier : carriers) {
    billing::v1::CandidateTrunk& candidate = *request.add_candidates();
    candidate.set_trunk_id(carrier.trunk);
    candidate.set_weight(1);
  }
  request.set_instance(kInstance);
  return request;
}

base::Result<billing::v1::ExtendReply> BillingWorld::extend(const std::string& call, const Party& party, const Party& carrier,
                                                            const common::v1::Rate& rate, std::uint32_t confirmed, std::uint32_t want,
                                                            std::uint32_t paid) {
  billing::v1::ExtendRequest request;
  request.set_customer_id(party.customer);
  request.set_trunk_id(party.trunk);
  request.set_carrier_trunk_id(carrier.trunk);
  *request.mutable_rate() = rate;
  request.set_confirmed_seconds(confirmed);
  request.set_want_paid_seconds(want);
  request.set_paid_seconds(paid);
  request.set_sequence(++sequence_);
  request.set_instance(kInstance);
  return ask<billing::v1::Billing::Extend>(call, request);
}

bool BillingWorld::release(const std::string& call, const call::v1::CallRecord& record) {
  billing::v1::ReleaseRequest request;
  request.set_customer_id(record.customer_id());
  request.set_trunk_id(record.trunk_id());
  request.add_carrier_trunk_ids(record.carrier_trunk_id());
  *request.mutable_rate() = record.rate();
  if (record.has_answered_at()) {
    *request.mutable_talked() = record.talked();
  }
  request.set_paid_seconds(record.paid_seconds());
  return ask<billing::v1::Billing::Release>(call, request).has_value();
}

base::Result<billing::v1::BalanceReply> BillingWorld::balance(const Party& party) {
  billing::v1::BalanceRequest request;
  request.set_customer_id(party.customer);
  return ask<billing::v1::Billing::Balance>("", request);
}

billing::v1::TrunkLoad BillingWorld::load(const Party& party) {
  billing::v1::TrunkLoadRequest request;
  request.add_trunk_ids(party.trunk);
  return ask<billing::v1::Billing::TrunkLoad>("", request).value().loads(0);
}

call::v1::CallRecord BillingWorld::record(const Party& party, const Party& carrier, const billing::v1::Reserved& reserved,
                                          std::optional<std::int64_t> seconds) {
  const base::WallTime end = now();
  const std::chrono::seconds talked(seconds.value_or(0));
  call::v1::CallRecord record;
  record.set_ingress_sip_call_id("a-leg@example");
  *record.mutable_setup_at() = wire::toWire(end - talked - std::chrono::seconds(2));
  if (seconds) {
    *record.mutable_answered_at() = wire::toWire(end - talked);
    record.mutable_talked()->set_seconds(talked.count());
  }
  *record.mutable_ended_at() = wire::toWire(end);
  record.set_called_rated("37410123456");
  record.set_customer_id(party.customer);
  record.set_trunk_id(party.trunk);
  record.set_carrier_customer_id(carrier.customer);
  record.set_carrier_trunk_id(carrier.trunk);
  *record.mutable_rate() = reserved.rate();
  *record.mutable_vendor_rate() = reserved.occupied().vendor_rate();
  record.set_paid_seconds(reserved.paid_seconds());
  record.set_final_code(seconds ? 200 : 486);
  record.set_reason(seconds ? common::v1::REASON_NORMAL : common::v1::REASON_CARRIER_REJECTED);
  record.set_ended_by(call::v1::ENDED_BY_CALLER);
  call::v1::Attempt& attempt = *record.add_attempts();
  attempt.set_number(1);
  attempt.set_trunk_id(carrier.trunk);
  attempt.set_ended_because(seconds ? "answered" : "rejected");
  common::v1::TraceStep& step = *record.add_trace();
  step.set_stage("billing");
  step.set_found("enough");
  step.set_passed(true);
  return record;
}

std::uint64_t BillingWorld::publish(const std::string& verb, const std::string& message_id, const std::string& data) {
  auto promise = std::make_shared<std::promise<base::Result<std::uint64_t>>>();
  auto stored = promise->get_future();
  publisher_->publish("tg.evt.call.v1." + verb + ".1", message_id, data,
                      [promise](base::Result<std::uint64_t> sequence) { promise->set_value(std::move(sequence)); });
  return stored.get().value();
}

std::uint64_t BillingWorld::publishEnded(const std::string& call, const call::v1::CallRecord& call_record, const std::string& message_id) {
  call::v1::CallEnded ended;
  fillHeader(*ended.mutable_header(), call);
  *ended.mutable_record() = call_record;
  return publish("ended", message_id.empty() ? call + ".9" : message_id, ended.SerializeAsString());
}

std::uint64_t BillingWorld::publishRejected(const std::string& call, const call::v1::CallRecord& call_record) {
  call::v1::CallRejected rejected;
  fillHeader(*rejected.mutable_header(), call);
  *rejected.mutable_record() = call_record;
  return publish("rejected", call + ".9", rejected.SerializeAsString());
}

std::uint64_t BillingWorld::publishAnswered(const std::string& call, const call::v1::CallRecord& call_record) {
  call::v1::CallAnswered answered;
  fillHeader(*answered.mutable_header(), call);
  *answered.mutable_record() = call_record;
  return publish("answered", call + ".5", answered.SerializeAsString());
}

void BillingWorld::setLive(const std::string& call, const call::v1::CallRecord& call_record, std::int64_t held_micros) {
  control::v1::LiveCall live;
  live.set_call_id(call);
  live.set_phase(control::v1::CALL_PHASE_TALKING);
  live.set_customer_id(call_record.customer_id());
  live.set_trunk_id(call_record.trunk_id());
  live.set_carrier_trunk_id(call_record.carrier_trunk_id());
  *live.mutable_setup_at() = call_record.setup_at();
  *live.mutable_answered_at() = call_record.answered_at();
  live.set_paid_seconds(call_record.paid_seconds());
  live.set_held_micros(held_micros);
  *live.mutable_rate() = call_record.rate();
  const std::lock_guard lock(live_mutex_);
  live_[call] = live;
}

void BillingWorld::endLive(const std::string& call) {
  const std::lock_guard lock(live_mutex_);
  live_.erase(call);
}

void BillingWorld::clearLive() {
  const std::lock_guard lock(live_mutex_);
  live_.clear();
}

std::int64_t BillingWorld::number(const std::string& query) {
  const std::string text = maria().runSql(query);
  return text.empty() ? 0 : std::stoll(text);
}

std::string BillingWorld::cdr(const std::string& call, const std::string& column) {
  std::string text = maria().runSql("SELECT " + column + " FROM cdrs WHERE call_id = '" + call + "'");
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

std::vector<base::TraceStep> BillingWorld::trace(const std::string& call) {
  sql::Pool pool(testkit::settingsOf(maria()));
  const auto rows =
      pool.use<sql::Rows>([&](sql::Session& session) { return session.query("SELECT trace FROM cdr_traces WHERE call_id = ?", {call}); });
  return cdr::unpackTrace(rows.value().at(0).text(0)).value();
}

std::int64_t BillingWorld::cdrCount(const std::string& call) {
  return number("SELECT COUNT(*) FROM cdrs WHERE call_id = '" + call + "'");
}

bool BillingWorld::waitCdr(const std::string& call, std::chrono::milliseconds limit) {
  return testkit::waitUntil([&] { return cdrCount(call) == 1; }, limit);
}

bool BillingWorld::waitIdle(const Party& party, std::chrono::milliseconds limit) {
  return testkit::waitUntil(
      [&] {
        const auto seen = balance(party);
        return seen && seen->live_holds() == 0 && seen->held_micros() == 0 && load(party).incoming() == 0;
      },
      limit);
}

std::string BillingWorld::disagreement() {
  std::string found;
  const auto expectZero = [&](const std::string& what, const std::string& query) {
    if (const std::int64_t off = number(query); off != 0) {
      found += what + " is off by " + std::to_string(off) + "\n";
    }
  };
  expectZero("sum of all entries", "SELECT COALESCE(SUM(amount_micros), 0) FROM ledger_entries");
  expectZero("accounts against their entries",
             "SELECT COALESCE(SUM(ABS(a.balance_micros - COALESCE((SELECT SUM(amount_micros) FROM ledger_entries l WHERE l.account = "
             "a.account), 0))), 0) FROM accounts a");
  expectZero("charges of the CDRs against charge entries",
             "SELECT COALESCE((SELECT SUM(charge_micros) FROM cdrs), 0) + COALESCE((SELECT SUM(amount_micros) FROM ledger_entries WHERE "
             "kind = 'charge' AND account LIKE 'customer:%'), 0)");
  expectZero("CDRs that exist twice", "SELECT COUNT(*) - COUNT(DISTINCT call_id) FROM cdrs");
  std::istringstream lines(maria().runSql("SELECT account, balance_micros FROM accounts WHERE account LIKE 'customer:%'"));
  std::string account;
  std::string posted;
  while (lines >> account >> posted) {
    const auto fast = redis_client_->wait({"HGET", "{c" + account.substr(account.find(':') + 1) + "}:acct", "posted"});
    if (!fast || fast->text != posted) {
      found += account + " is " + posted + " in the ledger and " + (fast ? fast->text : fast.error().message) + " in Redis\n";
    }
  }
  return found;
}

}  // namespace tollgate::component
