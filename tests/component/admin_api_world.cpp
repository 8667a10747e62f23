#include "tests/component/admin_api_world.hpp"

#include "libs/bus/subjects.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/temp_dir.hpp"

namespace tollgate::admin_api {
namespace {

constexpr const char* kBasic = "Basic YWRtaW46c2VjcmV0LXBhc3N3b3Jk";  // admin:secret-password

void must(bool held, const std::string& what) {
  if (!held) {
    throw std::runtime_error(what);
  }
}

}  // namespace

std::string outcomeOf(const Answer& answer) {
  auto text = std::to_string(answer.status);
  for (const auto& part : {answer.field(), answer.rule()}) {
    text += part.empty() ? "" : " " + part;
  }
  return text;
}

Neighbours::Neighbours(const testkit::NatsServer& nats) {
  auto opened = bus::Connection::open(testkit::settingsOf(nats), bus::ConnectionKind::kRequests);
  must(opened.has_value(), "no bus");
  connection_ = std::move(*opened);
  server_ = std::make_unique<bus::RpcServer>(*connection_);
  serveRpcs();
  serveControl();
  must(connection_->flush(std::chrono::seconds(5)).has_value(), "the bus does not answer");
}

void Neighbours::serveRpcs() {
  const auto serving = [](const base::Result<void>& result) { must(result.has_value(), "cannot serve"); };
  serving(server_->serve<billing::v1::Billing::PostPayment>([this](const auto&, const auto& request, auto responder) {
    const auto reply = post(request);
    const std::lock_guard lock(mutex);
    if (payment_unanswered) {
      unanswered_.push_back(std::move(responder));
      return;
    }
    reply ? responder.reply(*reply) : responder.fail(reply.error());
  }));
  serving(server_->serve<billing::v1::Billing::Balance>([](const auto&, const auto& request, auto responder) {
    billing::v1::BalanceReply reply;
    reply.mutable_posted()->set_micros(request.customer_id() * 1'000'000);
    reply.set_held_micros(250'000);
    reply.set_available_micros(request.customer_id() * 1'000'000 - 250'000);
    reply.set_live_holds(1);
    responder.reply(reply);
  }));
  serving(server_->serve<billing::v1::Billing::TrunkLoad>([this](const auto&, const auto& request, auto responder) {
    const std::lock_guard lock(mutex);
    billing::v1::TrunkLoadReply reply;
    for (const auto id : request.trunk_ids()) {
      *reply.add_loads() = loads[id];
      reply.mutable_loads()->rbegin()->set_trunk_id(id);
    }
    responder.reply(reply);
  }));
  serving(server_->serve<billing::v1::Billing::ReplayDeadLetter>([this](const auto&, const auto& request, auto responder) {
    const std::lock_guard lock(mutex);
    billing::v1::ReplayDeadLetterReply reply;
    reply.mutable_replayed_at()->set_seconds(1'795'256'430);
    reply.set_replayed_by(request.author());
    reply.set_existed(!replayed.insert(request.id()).second);
    responder.reply(reply);
  }));
  serving(server_->serve<billing::v1::Billing::Reserve>([this](const auto&, const auto& request, auto responder) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(request.dry_run()) << "a route test takes nothing";
    responder.reply(reserve);
  }));
  serving(server_->serve<auth::v1::Auth::Authorize>([this](const auto&, const auto&, auto responder) {
    const std::lock_guard lock(mutex);
    responder.reply(authorize);
  }));
  serving(server_->serve<routing::v1::Routing::Route>([this](const auto&, const auto& request, auto responder) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(request.dry_run());
    responder.reply(route);
  }));
}

void Neighbours::serveControl() {
  auto reports = bus::hearControl<control::v1::Ingress::ReportCalls>(*connection_, [this](const auto& request, const auto& replier) {
    const std::lock_guard lock(mutex);
    control::v1::ReportCallsReply reply;
    reply.set_instance("ingress-1");
    const auto send = [&](bool is_last) {
      reply.set_is_last(is_last);
      reply.set_total(static_cast<std::uint32_t>(reply.calls_size()));
      replier.reply(reply);
      reply.clear_calls();
      reply.set_piece(reply.piece() + 1);
    };
    for (const auto& live : calls) {
      const bool wanted = (request.customer_id() == 0 || request.customer_id() == live.customer_id()) &&
                          (request.call_id().empty() || request.call_id() == live.call_id()) &&
                          live.called().starts_with(request.called_prefix());
      if (wanted) {
        if (static_cast<std::size_t>(reply.calls_size()) == calls_per_piece) {
          send(false);
        }
        *reply.add_calls() = live;
      }
    }
    if (!loses_last_piece) {
      send(true);
    }
  });
  auto hangups = bus::hearControl<control::v1::Ingress::Hangup>(*connection_, [this](const auto& request, const auto& replier) {
    const std::lock_guard lock(mutex);
    for (const auto& live : calls) {
      if (live.call_id() == request.call_id()) {
        hung_up.push_back(request.call_id() + " " + request.author());
        control::v1::HangupReply reply;
        reply.set_done(true);
        replier.reply(reply);
      }
    }
  });
  auto changes = connection_->subscribe(bus::subjects::kAllConfigChanges, "", [this](const bus::Delivery&) { ++config_events; });
  for (auto* made : {&reports, &hangups, &changes}) {
    must(made->has_value(), "cannot subscribe");
    subscriptions_.push_back(std::move(**made));
  }
}

base::Result<billing::v1::PostPaymentReply> Neighbours::post(const billing::v1::PostPaymentRequest& request) {
  const std::lock_guard lock(mutex);
  payments.push_back(request);
  if (payment_error) {
    return tl::unexpected(*payment_error);
  }
  if (payment_not_posted) {
    billing::v1::PostPaymentReply reply;
    reply.set_not_posted(true);
    return reply;
  }
  const auto account = std::to_string(request.customer_id());
  billing::v1::PostPaymentReply reply;
  reply.set_transfer_id("pay:" + account + ":" + request.idempotency_key());
  const auto [known, is_new] = movements_.emplace(reply.transfer_id(), request.amount().micros());
  if (known->second != request.amount().micros()) {
    return base::fail(base::ErrorCode::kConflict, "idempotency_key: was already used for a different movement");
  }
  reply.set_existed(!is_new);
  if (!reply.existed()) {
    balances_[account] += request.amount().micros() * (request.kind() == billing::v1::MOVEMENT_KIND_REFUND ? -1 : 1);
  }
  reply.mutable_balance()->set_micros(balances_[account]);
  return reply;
}

struct AdminApi::World {
  World() : neighbours(nats) {
    testkit::writeFile(folder.file("admin.json"), R"({"name": "admin", "password": "secret-password", "api_key": "0123456789abcdef"})");
    testkit::writeFile(folder.file("mysql_password"), mysql.password());
    service = std::make_unique<testkit::ServiceProcess>(
        testkit::ServiceProcess::Options{.path = TOLLGATE_BIN_DIR "/tollgate-admin-api",
                                         .arguments = {},
                                         .environment = {{"TOLLGATE_NATS_URL", nats.url()},
                                                         {"TOLLGATE_MYSQL_PORT", std::to_string(mysql.port())},
                                                         {"TOLLGATE_MYSQL_USER", mysql.user()},
                                                         {"TOLLGATE_MYSQL_PASSWORD_FILE", folder.file("mysql_password")},
                                                         {"TOLLGATE_MYSQL_DATABASE", mysql.database()},
                                                         {"TOLLGATE_API_PORT", std::to_string(api_port.port())},
                                                         {"TOLLGATE_BOOTSTRAP_ADMIN_FILE", folder.file("admin.json")},
                                                         {"TOLLGATE_AUTH_FAILURES_PER_MINUTE", "1000"},
                                                         {"TOLLGATE_GATHER_TIME", "400ms"},
                                                         {"TOLLGATE_HANGUP_TIMEOUT", "300ms"}}});
  }

  testkit::NatsServer nats;
  testkit::MariaDb mysql;
  testkit::TempDir folder;
  testkit::PortLease api_port;
  Neighbours neighbours;
  std::unique_ptr<testkit::ServiceProcess> service;
  std::unique_ptr<sql::Pool> pool = std::make_unique<sql::Pool>(testkit::settingsOf(mysql));
  std::atomic<int> networks{0};
};

std::unique_ptr<AdminApi::World> AdminApi::world_;

void AdminApi::SetUpTestSuite() {
  if (!world_) {
    world_ = std::make_unique<World>();
  }
}

void AdminApi::TearDownTestSuite() {
  world_.reset();
}

Answer AdminApi::raw(const std::string& method, const std::string& path, const Headers& headers, const std::string& body) {
  const auto reply = testkit::httpRequest(port(), method, path, headers, body, std::chrono::seconds(20));
  if (!reply) {
    ADD_FAILURE() << method << " " << path << ": " << reply.error().message;
    return {};
  }
  return {reply->status, reply->headers,
          reply->body.empty() ? nlohmann::json::object() : nlohmann::json::parse(reply->body, nullptr, false)};
}

Answer AdminApi::call(const std::string& method, const std::string& path, const nlohmann::json& body, Headers headers) {
  headers.emplace("Authorization", kBasic);
  if (!body.is_null()) {
    headers.emplace("Content-Type", "application/json");
  }
  return raw(method, path, headers, body.is_null() ? "" : body.dump());
}

std::int64_t AdminApi::make(const std::string& path, const nlohmann::json& body) {
  const auto answer = call("POST", path, body);
  EXPECT_EQ(answer.status, 201) << path << " " << body.dump() << " -> " << answer.body.dump();
  return answer.id();
}

std::int64_t AdminApi::customer(nlohmann::json changes) {
  nlohmann::json body = {{"name", "Acme"}, {"country", "AM"}};
  body.update(changes);
  return make("/v1/customers", body);
}

nlohmann::json AdminApi::trunkBody(std::int64_t customer_id, const nlohmann::json& changes) {
  nlohmann::json body = {{"customer_id", customer_id},
                         {"name", "Main"},
                         {"tech_prefix", "55"},
                         {"sources", nlohmann::json::array({{{"network", freshNetwork()}}})}};
  body.update(changes);
  return body;
}

std::int64_t AdminApi::trunk(std::int64_t customer_id, nlohmann::json changes) {
  return make("/v1/trunks", trunkBody(customer_id, changes));
}

std::int64_t AdminApi::carrier(std::int64_t customer_id, nlohmann::json changes) {
  nlohmann::json body = {{"name", "Carrier"},
                         {"identification", "peer"},
                         {"tech_prefix", ""},
                         {"max_concurrent_outgoing", nullptr},
                         {"endpoints", nlohmann::json::array({{{"address", "192.0.2.1"}}})}};
  body.update(changes);
  return trunk(customer_id, body);
}

std::int64_t AdminApi::rule(const std::string& code, nlohmann::json targets) {
  return make("/v1/routing-rules", {{"code", code}, {"targets", std::move(targets)}});
}

std::int64_t AdminApi::plan(const std::string& scope, const std::string& currency) {
  return make("/v1/rate-plans", {{"name", "Plan"}, {"scope", scope}, {"currency", currency}});
}

std::string AdminApi::freshNetwork() {
  const int number = ++world_->networks;
  return "10.9." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
}

sql::Rows AdminApi::query(const std::string& statement, const std::vector<sql::Value>& parameters) {
  const auto rows = world_->pool->use<sql::Rows>([&](sql::Session& session) { return session.query(statement, parameters); });
  must(rows.has_value(), statement + ": " + (rows ? "" : rows.error().message));
  return *rows;
}

void AdminApi::execute(const std::string& statement, const std::vector<sql::Value>& parameters) {
  const auto done = world_->pool->use<std::uint64_t>([&](sql::Session& session) { return session.execute(statement, parameters); });
  must(done.has_value(), statement + ": " + (done ? "" : done.error().message));
}

std::int64_t AdminApi::version() {
  return query("SELECT version FROM config_state")[0].integer(0);
}

std::string AdminApi::cdr(std::int64_t customer_id, std::int64_t trunk_id, const nlohmann::json& changes) {
  static base::SystemRandom random;
  const base::WallTime now(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()));
  const auto setup = now - std::chrono::seconds(changes.value("age_seconds", 0));
  const auto id =
      base::CallId::make(std::chrono::duration_cast<std::chrono::milliseconds>(setup.time_since_epoch()).count(), random).text();
  const auto number = [&changes](const char* name) {
    return changes.contains(name) ? sql::Value(changes[name].get<std::int64_t>()) : sql::Value(nullptr);
  };
  execute(
      "INSERT INTO cdrs (call_id, setup_at, ended_at, customer_id, trunk_id, carrier_trunk_id, rate_id, vendor_rate_id, called_in, "
      "called_rated, "
      "caller_in, reason, ended_by, charge_micros, attempt_count) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      {id, sql::fromTime(setup), sql::fromTime(setup), customer_id, trunk_id, number("carrier_trunk_id"), number("rate_id"),
       number("vendor_rate_id"), changes.value("called", "5544123"), changes.value("called", "5544123").substr(2),
       changes.value("caller", "37411"), changes.value("reason", "normal"), std::string("caller"),
       changes.value("charge_micros", std::int64_t{0}), std::int64_t{1}});
  return id;
}

Neighbours& AdminApi::neighbours() {
  return world_->neighbours;
}

testkit::ServiceProcess& AdminApi::process() {
  return *world_->service;
}

void AdminApi::stopMySql() {
  world_->mysql.stop();
}

void AdminApi::startMySql() {
  world_->mysql.start();
  world_->pool = std::make_unique<sql::Pool>(testkit::settingsOf(world_->mysql));  // the old connections broke
}

std::uint16_t AdminApi::port() {
  return world_->api_port.port();
}

}  // namespace tollgate::admin_api
