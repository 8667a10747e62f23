#include "libs/redis/client.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::waitUntil;

const Script& addScript() {
  static const Script script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  return script;
}

ClientSettings settingsFor(const testkit::RedisServer& server) {
  ClientSettings settings;
  settings.host = server.host();
  settings.port = server.port();
  settings.command_timeout = 300ms;
  return settings;
}

class RedisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(waitUntil([&] { return client_.isConnected(); }));
  }
  testkit::RedisServer server_;
  telemetry::Metrics registry_;
  ClientMetrics metrics_{registry_, "probe"};
  Client client_{settingsFor(server_), {addScript()}, metrics_};
};

TEST(Script, KnowsItsSha1) {
  EXPECT_EQ(Script("return 1").sha1(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

TEST_F(RedisTest, GivesEachKindOfReply) {
  EXPECT_EQ(client_.wait({"GET", "nothing"})->kind, Reply::Kind::kNil);
  EXPECT_EQ(client_.wait({"INCR", "n"})->integer, 1);
  EXPECT_EQ(client_.wait({"SET", "s", std::string("a\0 b\r\n", 6)})->text, "OK");
  EXPECT_EQ(client_.wait({"GET", "s"})->text, std::string("a\0 b\r\n", 6));
  const auto array = client_.wait({"MGET", "n", "nothing"});
  ASSERT_TRUE(array.has_value());
  ASSERT_EQ(array->elements.size(), 2U);
  EXPECT_EQ(array->elements[0].text, "1");
  EXPECT_EQ(array->elements[1].kind, Reply::Kind::kNil);
}

TEST_F(RedisTest, ErrorReplyIsAnErrorWithTheServersWords) {
  const auto result = client_.wait({"NOSUCHCOMMAND"});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_NE(result.error().message.find("unknown command"), std::string::npos);
}

TEST_F(RedisTest, AnswersManyCommandsOfManyThreadsInOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::atomic<int> done{0};
  std::atomic<int> disorder{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        auto last = std::make_shared<std::int64_t>(0);
        for (int i = 0; i < kEach; ++i) {
          client_.command({"INCR", "counter" + std::to_string(t)}, [&, last](const base::Result<Reply>& reply) {
            disorder += reply && reply->integer == ++*last ? 0 : 1;
            ++done;
          });
        }
      });
    }
  }
  EXPECT_TRUE(waitUntil([&] { return done == kThreads * kEach; }));
  EXPECT_EQ(disorder, 0);
}

TEST_F(RedisTest, TakesSeveralCommandsTogether) {
  std::atomic<int> done{0};
  std::vector<Client::Call> calls;
  for (int i = 0; i < 3; ++i) {
    calls.push_back({{"INCR", "n"}, [&](const base::Result<Reply>& reply) { done += reply ? 1 : 0; }});
  }
  client_.commands(std::move(calls));
  EXPECT_TRUE(waitUntil([&] { return done == 3; }));
}

TEST_F(RedisTest, RunsScriptsAndSurvivesTheirLoss) {
  EXPECT_EQ(client_.waitRun(addScript(), {"{c1}:x"}, {"5"})->integer, 5);
  ASSERT_TRUE(client_.wait({"SCRIPT", "FLUSH"}));
  EXPECT_EQ(client_.waitRun(addScript(), {"{c1}:x"}, {"2"})->integer, 7);  // by EVAL, once
  EXPECT_EQ(client_.wait({"SCRIPT", "EXISTS", addScript().sha1()})->elements[0].integer, 1);
  const Script unlisted("return ARGV[1]");
  EXPECT_EQ(client_.waitRun(unlisted, {}, {"there"})->text, "there");
}

// REQUIREMENTS 12.2: recovery needs no operator, and the scripts are loaded again.
TEST_F(RedisTest, FailsImmediatelyWhileTheServerIsDownAndLoadsScriptsWhenItIsBack) {
  ASSERT_TRUE(client_.waitRun(addScript(), {"x"}, {"1"}));
  server_.kill();
  ASSERT_TRUE(waitUntil([&] { return !client_.isConnected(); }));
  EXPECT_EQ(client_.wait({"PING"}).error().code, ErrorCode::kUnavailable);  // kTimeout if it had waited for the deadline
  server_.start();
  ASSERT_TRUE(waitUntil([&] { return client_.isConnected(); }));
  EXPECT_EQ(client_.wait({"SCRIPT", "EXISTS", addScript().sha1()})->elements[0].integer, 1);
  EXPECT_EQ(client_.waitRun(addScript(), {"x"}, {"3"})->integer, 3);
  EXPECT_GE(metrics_.connects.value(), 2);
}

// A hung server does not answer: every command fails at its own deadline, and the client opens a new connection.
TEST_F(RedisTest, TimesOutOnAHungServerAndRecovers) {
  server_.pause();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(client_.wait({"PING"}).error().code, ErrorCode::kTimeout);
  EXPECT_EQ(metrics_.timeouts.value(), 1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  std::atomic<int> failed{0};
  for (int i = 0; i < 20; ++i) {
    client_.command({"PING"}, [&](const base::Result<Reply>& reply) { failed += reply ? 0 : 1; });
  }
  EXPECT_TRUE(waitUntil([&] { return failed == 20; }));
  EXPECT_TRUE(waitUntil([&] { return !client_.isConnected(); }));
  EXPECT_EQ(client_.wait({"PING"}).error().code, ErrorCode::kUnavailable);
  server_.resume();
  ASSERT_TRUE(waitUntil([&] { return client_.isConnected(); }));
  EXPECT_EQ(client_.wait({"PING"})->text, "PONG");
}

TEST_F(RedisTest, NoticesAHungServerWithoutTraffic) {
  server_.pause();
  EXPECT_TRUE(waitUntil([&] { return !client_.isConnected(); }));
  server_.resume();
  EXPECT_TRUE(waitUntil([&] { return client_.isConnected(); }));
}

TEST_F(RedisTest, LateAnswerIsNotTakenForAnotherCommands) {
  server_.pause();
  EXPECT_EQ(client_.wait({"INCR", "a"}).error().code, ErrorCode::kTimeout);
  server_.resume();  // its answer comes now, before that of the next command
  const auto next = client_.wait({"GET", "nothing"});
  ASSERT_TRUE(next.has_value()) << next.error().message;
  EXPECT_EQ(next->kind, Reply::Kind::kNil);
}

TEST(RedisClient, RefusesBeyondThePendingBound) {
  testkit::RedisServer server;
  auto settings = settingsFor(server);
  settings.pending_max = 10;
  settings.command_timeout = 5s;
  telemetry::Metrics registry;
  const ClientMetrics metrics(registry, "probe");
  Client client(settings, {}, metrics);
  ASSERT_TRUE(waitUntil([&] { return client.isConnected(); }));
  server.pause();
  std::atomic<int> over{0};
  std::atomic<int> good{0};
  for (int i = 0; i < 30; ++i) {
    client.command({"PING"}, [&](const base::Result<Reply>& reply) {
      if (reply) {
        ++good;
      } else if (reply.error().code == ErrorCode::kOverLimit) {
        ++over;
      }
    });
  }
  EXPECT_TRUE(waitUntil([&] { return over >= 20; }));
  EXPECT_EQ(metrics.refused.value(), over.load());
  server.resume();
  EXPECT_TRUE(waitUntil([&] { return good + over == 30; }));
}

TEST(RedisClient, ConnectsWithUserAndDatabaseAndKeepsTryingWhenRefused) {
  testkit::RedisServer server({.append_only = false, .extra = "user billing on >secret ~* +@all\nuser default off"});
  auto settings = settingsFor(server);
  settings.user = "billing";
  settings.password = "wrong";
  Client refused(settings, {});
  settings.password = "secret";
  settings.database = 3;
  Client client(settings, {addScript()});
  ASSERT_TRUE(waitUntil([&] { return client.isConnected(); }));
  ASSERT_TRUE(client.wait({"SET", "k", "v"}));
  EXPECT_EQ(client.wait({"SELECT", "3"})->text, "OK");
  EXPECT_EQ(client.wait({"DBSIZE"})->integer, 1);
  EXPECT_FALSE(refused.isConnected());
  ASSERT_TRUE(client.wait({"ACL", "SETUSER", "billing", ">wrong"}));
  EXPECT_TRUE(waitUntil([&] { return refused.isConnected(); }));
}

TEST(RedisClient, CompletesWhatIsPendingWhenItIsDestroyed) {
  testkit::RedisServer server;
  auto settings = settingsFor(server);
  settings.command_timeout = 30s;
  std::atomic<int> unavailable{0};
  {
    Client client(settings, {});
    ASSERT_TRUE(waitUntil([&] { return client.isConnected(); }));
    server.pause();
    for (int i = 0; i < 5; ++i) {
      client.command({"PING"}, [&](const base::Result<Reply>& reply) {
        unavailable += !reply && reply.error().code == ErrorCode::kUnavailable ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(unavailable, 5);
}

TEST(RedisClient, ConnectsWhenTheServerStarts) {
  testkit::RedisServer server;
  server.stop();
  Client client(settingsFor(server), {});
  EXPECT_EQ(client.wait({"PING"}).error().code, ErrorCode::kUnavailable);
  server.start();
  EXPECT_TRUE(waitUntil([&] { return client.isConnected(); }));
}

}  // namespace
}  // namespace tollgate::redis
