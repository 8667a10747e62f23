// Starts each server with its configuration from deploy/, and tries what every user may and may not do.
#include <atomic>
#include <map>
#include <optional>

#include <gtest/gtest.h>

#include "libs/bus/connection.hpp"
#include "libs/bus/control.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/testkit/mariadb_template.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::testkit {
namespace {

using namespace std::chrono_literals;
using Values = std::map<std::string, std::string>;

// As scripts/up does it: every placeholder must be known. All passwords are the user's name.
std::string render(const std::string& file, Values values) {
  for (const std::string user : {"INGRESS", "AUTH", "ROUTING", "BILLING", "ADMIN_API", "DASHBOARD", "MIGRATE", "ADMIN"}) {
    for (const std::string server : {"NATS_", "MYSQL_", "REDIS_"}) {
      values[server + user + "_PASSWORD"] = user;
    }
  }
  const std::string text = readFile(std::string(TOLLGATE_SOURCE_DIR) + "/deploy/" + file);
  constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  std::string rendered;
  std::size_t from = 0;
  for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at + 1)) {
    const auto end = text.find_first_not_of(kNameCharacters, at + 1);
    if (end == std::string::npos || text[end] != '@' || end == at + 1) {
      continue;
    }
    rendered.append(text, from, at - from).append(values.at(text.substr(at + 1, end - at - 1)));
    from = end + 1;
    at = end;
  }
  return rendered.append(text, from);
}

std::string upper(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

class DeployNats : public ::testing::Test {
 protected:
  DeployNats()
      : server_({.jetstream = true,
                 .extra = "",
                 .whole = render("nats/nats.conf.template", {{"NATS_PORT", "@PORT@"}, {"NATS_STORE_DIR", "@STORE@"}})}) {
    for (const std::string user : {"ingress", "auth", "routing", "billing", "admin_api", "dashboard"}) {
      connections_[user] = connect(user, upper(user));
      EXPECT_TRUE(connections_[user]->isConnected()) << user;
    }
  }

  std::unique_ptr<bus::Connection> connect(const std::string& user, const std::string& password) {
    auto settings = settingsOf(server_);
    settings.user = user;
    settings.password = password;
    return bus::Connection::open(settings, bus::ConnectionKind::kRequests).value();
  }

  bus::Connection& as(const std::string& user) { return *connections_.at(user); }

  // The error code a request of this user ends with; nothing when it is answered.
  template <class Def>
  std::optional<base::ErrorCode> ask(const std::string& user) {
    bus::RpcClient client(as(user), [](std::function<void()> task) { task(); }, {});
    const auto reply = client.wait<Def>("", typename Def::Request(), 300ms);
    return reply ? std::nullopt : std::optional(reply.error().code);
  }

  NatsServer server_;
  std::map<std::string, std::unique_ptr<bus::Connection>> connections_;
};

TEST_F(DeployNats, RefusesAWrongPassword) {
  EXPECT_FALSE(connect("billing", "nonsense")->isConnected());
}

TEST_F(DeployNats, RecordsGoFromIngressToBilling) {
  const auto ensured = bus::ensureRecordStream(as("billing"), {});
  ASSERT_TRUE(ensured) << ensured.error().message;
  std::atomic<int> taken = 0;
  const auto consumer = bus::RecordConsumer::open(as("billing"), [&](const bus::Record& record) {
    ++taken;
    record.ack();
  });
  ASSERT_TRUE(consumer) << consumer.error().message;
  bus::RecordPublisher publisher(as("ingress"), 5s);
  std::atomic<bool> stored = false;
  publisher.publish(bus::subjects::callEvent("ended", base::TrunkId(1)), "c.1", "record",
                    [&](const base::Result<std::uint64_t>& sequence) { stored = sequence.has_value(); });
  EXPECT_TRUE(waitUntil([&] { return stored && taken == 1; }));
  const auto fetcher = bus::RecordFetcher::open(as("billing"), 10s).value();
  for (const bus::Record& record : fetcher->fetch(10, 1ms, 5s)) {
    record.ack();
  }
  EXPECT_TRUE(waitUntil([&] {
    const auto progress = bus::readProgress(as("billing"));
    return progress && progress->slots.acked_floor_sequence == 1 && progress->books.acked_floor_sequence == 1;
  }));
  EXPECT_EQ(as("billing").metrics().errors.value(), 0);
  EXPECT_EQ(as("ingress").metrics().errors.value(), 0);
}

TEST_F(DeployNats, OnlyUsersWithTheRightMayAsk) {
  bus::RpcServer auth(as("auth"));
  ASSERT_TRUE(auth.serve<auth::v1::Auth::Authorize>([](const auto&, const auto&, auto responder) { responder.reply({}); }));
  bus::RpcServer billing(as("billing"));
  ASSERT_TRUE(billing.serve<billing::v1::Billing::Reserve>([](const auto&, const auto&, auto responder) { responder.reply({}); }));
  ASSERT_TRUE(billing.serve<billing::v1::Billing::PostPayment>([](const auto&, const auto&, auto responder) { responder.reply({}); }));
  ASSERT_TRUE(as("auth").flush(5s));
  ASSERT_TRUE(as("billing").flush(5s));
  EXPECT_EQ(ask<auth::v1::Auth::Authorize>("ingress"), std::nullopt);
  EXPECT_EQ(ask<billing::v1::Billing::Reserve>("ingress"), std::nullopt);
  EXPECT_EQ(ask<billing::v1::Billing::PostPayment>("admin_api"), std::nullopt);
  EXPECT_EQ(ask<billing::v1::Billing::PostPayment>("ingress"), base::ErrorCode::kTimeout);  // only admin_api may move money
  EXPECT_EQ(ask<billing::v1::Billing::Reserve>("routing"), base::ErrorCode::kTimeout);
  EXPECT_EQ(ask<billing::v1::Billing::Reserve>("auth"), base::ErrorCode::kTimeout);
}

TEST_F(DeployNats, ConfigChangesReachAllAndTheDashboardOnlyListens) {
  std::atomic<int> heard = 0;
  std::vector<bus::Subscription> subscriptions;
  for (const std::string user : {"ingress", "auth", "routing", "billing", "dashboard"}) {
    const auto subject = user == "dashboard" ? bus::subjects::kAllEvents : bus::subjects::kAllConfigChanges;
    subscriptions.push_back(std::move(as(user).subscribe(subject, "", [&](const bus::Delivery&) { ++heard; }).value()));
    ASSERT_TRUE(as(user).flush(5s));
  }
  ASSERT_TRUE(as("admin_api").publish(bus::subjects::configChanged("trunk"), ""));
  EXPECT_TRUE(waitUntil([&] { return heard == 5; }));
  ASSERT_TRUE(as("dashboard").publish(bus::subjects::configChanged("trunk"), ""));
  ASSERT_TRUE(as("routing").publish(bus::subjects::configChanged("trunk"), ""));
  EXPECT_TRUE(waitUntil([&] { return as("dashboard").metrics().errors.value() == 1 && as("routing").metrics().errors.value() == 1; }));
  EXPECT_EQ(heard, 5);
  (void)as("dashboard").subscribe("tg.rpc.>", "", [](const bus::Delivery&) {});
  EXPECT_TRUE(waitUntil([&] { return as("dashboard").metrics().errors.value() == 2; }));
}

TEST_F(DeployNats, ControlGoesFromAdminAndBillingToIngress) {
  std::atomic<int> heard = 0;
  const auto subscription = as("ingress").subscribe(control::v1::Ingress::ReportCalls::kSubject, "", [&](const bus::Delivery& delivery) {
    ++heard;
    EXPECT_TRUE(as("ingress").publish(delivery.reply_to, "calls"));
  });
  ASSERT_TRUE(as("ingress").flush(5s));
  for (const std::string user : {"admin_api", "billing"}) {
    EXPECT_EQ(bus::gatherReplies(as(user), control::v1::Ingress::ReportCalls::kSubject, "", 1, 5s).size(), 1U) << user;
  }
  EXPECT_TRUE(bus::gatherReplies(as("billing"), control::v1::Ingress::Hangup::kSubject, "", 1, 300ms).empty());
  EXPECT_EQ(heard, 2);
}

class DeployedRedis final : public Server {
 public:
  DeployedRedis() { startFirst(); }

  std::string cli(const std::string& user, std::vector<std::string> words) {
    const std::string output = folder().file("cli");
    writeFile(output, "");
    Child::Options options;
    options.command = {"redis-cli", "-p", std::to_string(port()), "--no-auth-warning"};
    if (!user.empty()) {
      options.command.insert(options.command.end(), {"--user", user, "--pass", upper(user)});
    }
    options.command.insert(options.command.end(), words.begin(), words.end());
    options.output_file = output;
    EXPECT_TRUE(runToEnd(options, 10s));
    return readFile(output);
  }

 private:
  std::vector<std::string> command() override {
    const Values values{
        {"REDIS_PORT", std::to_string(port())}, {"REDIS_DATA_DIR", folder().path().string()}, {"REDIS_ACL_FILE", folder().file("acl")}};
    writeFile(folder().file("acl"), render("redis/users.acl.template", values));
    writeFile(folder().file("conf"), render("redis/redis.conf.template", values));
    return {"redis-server", folder().file("conf")};
  }
  std::string_view readyText() const override { return "Ready to accept connections"; }
};

TEST(DeployRedis, BillingReachesItsKeysAndNothingElse) {
  DeployedRedis server;
  const auto billing = [&](std::vector<std::string> words) { return server.cli("billing", std::move(words)); };
  EXPECT_EQ(billing({"PING"}), "PONG\n");
  EXPECT_EQ(billing({"ZADD", "tg:leases", "1", "1:x"}), "1\n");
  const std::string script =
      "local t = redis.call('TIME') redis.call('HSET', KEYS[1], 'posted', 5) redis.call('ZADD', KEYS[2], t[1], 'x') "
      "redis.call('SET', KEYS[3], '1', 'PX', 60000) redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', 0) redis.call('PEXPIRE', KEYS[3], 9) "
      "redis.call('DEL', KEYS[3]) return redis.call('HINCRBY', KEYS[1], 'posted', 1) + redis.call('ZCARD', KEYS[2])";
  EXPECT_EQ(billing({"EVAL", script, "3", "{c1}:acct", "{c1}:holds", "{c1}:ended:x"}), "7\n");
  EXPECT_EQ(billing({"SCRIPT", "LOAD", "return 1"}).size(), 41U);
  EXPECT_EQ(billing({"EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"}), "1\n");
  EXPECT_EQ(server.cli("admin", {"HGET", "{c1}:acct", "posted"}), "6\n");
  const std::vector<std::vector<std::string>> refused{{"SET", "other", "1"},
                                                      {"GET", "c1:acct"},
                                                      {"EVAL", "return redis.call('GET', 'other')", "0"},
                                                      {"KEYS", "*"},
                                                      {"FLUSHALL"},
                                                      {"CONFIG", "GET", "*"},
                                                      {"SCRIPT", "FLUSH"},
                                                      {"ACL", "LIST"},
                                                      {"SHUTDOWN", "NOSAVE"},
                                                      {"FUNCTION", "LIST"},
                                                      {"PUBLISH", "x", "y"},
                                                      {"REPLICAOF", "127.0.0.1", "1"},
                                                      {"EVAL", "return redis.call('FLUSHDB')", "0"}};
  for (const auto& words : refused) {
    const std::string answer = billing(words);
    EXPECT_TRUE(answer.find("NOPERM") != std::string::npos || answer.find("ACL failure") != std::string::npos ||
                answer.find("can't") != std::string::npos)
        << words[0] << ": " << answer;
  }
  EXPECT_NE(server.cli("", {"PING"}).find("NOAUTH"), std::string::npos);
}

class DeployedMariaDb final : public Server {
 public:
  DeployedMariaDb() {
    copyMariaDbTemplate(folder().file("data"));
    startFirst();
  }

 private:
  std::vector<std::string> command() override {
    writeFile(folder().file("my.cnf"), render("mysql/my.cnf.template", {{"MYSQL_PORT", std::to_string(port())},
                                                                        {"MYSQL_DATA_DIR", folder().file("data")},
                                                                        {"MYSQL_SOCKET", folder().file("socket")},
                                                                        {"RUN_DIR", folder().path().string()}}));
    std::vector<std::string> words{"mariadbd", "--defaults-file=" + folder().file("my.cnf")};
    if (::getuid() == 0) {
      words.emplace_back("--user=root");
    }
    return words;
  }
  std::string_view readyText() const override { return "ready for connections"; }
};

TEST(DeployMySql, StartsWithItsConfiguration) {
  DeployedMariaDb server;
  sql::PoolSettings settings;
  settings.port = server.port();
  settings.user = settings.password = settings.database = "tollgate";
  sql::Pool pool(settings);
  const auto rows = pool.use<sql::Rows>([](sql::Session& session) {
    return session.query("SELECT @@innodb_flush_log_at_trx_commit, @@bind_address, @@character_set_server", {});
  });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].integer(0), 1);
  EXPECT_EQ((*rows)[0].text(1), "127.0.0.1");
  EXPECT_EQ((*rows)[0].text(2), "utf8mb4");
}

struct GrantCase {
  std::string user;
  std::string statement;
  bool allowed;
};

std::vector<GrantCase> grantCases() {
  const std::string none = " WHERE 1 = 0";
  return {
      {"auth", "SELECT version, entity, entity_id, action FROM config_changes" + none, true},
      {"auth", "SELECT before_json FROM config_changes" + none, false},
      {"auth", "SELECT id FROM trunk_sources" + none, true},
      {"auth", "SELECT id FROM rates" + none, false},
      {"auth", "UPDATE customers SET status = 'blocked'" + none, false},
      {"auth", "SELECT balance_micros FROM accounts" + none, false},
      {"routing", "SELECT id FROM dialpeers" + none, true},
      {"routing", "SELECT rule_id FROM routing_targets" + none, true},
      {"routing", "SELECT call_id FROM cdrs" + none, false},
      {"routing", "DELETE FROM routing_rules" + none, false},
      {"billing", "SELECT id FROM rates" + none, true},
      {"billing", "UPDATE rates SET per_minute_micros = 0" + none, false},
      {"billing", "UPDATE accounts SET version = version + 1" + none, true},
      {"billing", "INSERT INTO ledger_entries SELECT * FROM ledger_entries" + none, true},
      {"billing", "UPDATE ledger_entries SET amount_micros = 0" + none, false},
      {"billing", "DELETE FROM ledger_entries" + none, false},
      {"billing", "UPDATE cdrs SET reason = 'normal'" + none, true},
      {"billing", "DELETE FROM cdrs" + none, true},
      {"billing", "DELETE FROM cdr_attempts" + none, true},
      {"billing",
       "ALTER TABLE cdr_traces REORGANIZE PARTITION p_next INTO (PARTITION p20010101 VALUES LESS THAN ('0'), "
       "PARTITION p_next VALUES LESS THAN (MAXVALUE))",
       true},
      {"billing", "ALTER TABLE cdr_traces DROP PARTITION p20010101", true},
      {"billing", "ALTER TABLE ledger_entries ADD COLUMN other INT", false},
      {"billing", "DROP TABLE ledger_entries", false},
      {"billing", "UPDATE dead_letters SET replayed_by = 'x'" + none, true},
      {"billing", "UPDATE dead_letters SET data_hex = ''" + none, false},
      {"admin_api", "UPDATE config_state SET version = version" + none, true},
      {"admin_api", "INSERT INTO config_changes SELECT * FROM config_changes" + none, true},
      {"admin_api", "UPDATE config_changes SET author = 'nobody'" + none, false},
      {"admin_api", "DELETE FROM rates" + none, true},
      {"admin_api", "SELECT trace FROM cdr_traces" + none, true},
      {"admin_api", "UPDATE accounts SET balance_micros = 1" + none, false},
      {"admin_api", "INSERT INTO ledger_entries SELECT * FROM ledger_entries" + none, false},
      {"admin_api", "DROP TABLE rates", false},
      {"migrate", "CREATE TABLE new_one (id BIGINT)", true},
      {"migrate", "CREATE DATABASE other", false},
      {"migrate", "SELECT user FROM mysql.user", false},
  };
}

TEST(DeployMySql, EachServiceMayDoItsWorkAndNoMore) {
  MariaDb server;
  const std::string grants = render("mysql/users.sql.template", {{"MYSQL_DATABASE", "tollgate"}});
  server.runSql(grants + grants);  // again: nothing changes, nothing fails
  // A table of a new migration must be granted, too.
  EXPECT_EQ(server.runSql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'tollgate' "
                          "AND table_name <> 'schema_migrations' AND table_name NOT IN "
                          "(SELECT table_name FROM information_schema.table_privileges WHERE grantee LIKE '\\'admin\\_api\\'%')"),
            "");
  std::map<std::string, std::unique_ptr<sql::Pool>> pools;
  for (const auto& [user, statement, allowed] : grantCases()) {
    auto& pool = pools[user];
    if (!pool) {
      auto settings = settingsOf(server);
      settings.user = user;
      settings.password = upper(user);
      pool = std::make_unique<sql::Pool>(settings);
    }
    const auto outcome = pool->use<std::uint64_t>([&, text = statement](sql::Session& session) -> base::Result<std::uint64_t> {
      if (!text.starts_with("SELECT")) {
        return session.execute(text, {});
      }
      TG_TRY(session.query(text, {}));
      return 0;
    });
    EXPECT_EQ(outcome.has_value(), allowed) << user << ": " << statement << (outcome ? "" : " -> " + outcome.error().message);
    EXPECT_TRUE(outcome || outcome.error().message.find("denied") != std::string::npos) << outcome.error().message;
  }
}

}  // namespace
}  // namespace tollgate::testkit
