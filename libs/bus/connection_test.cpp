#include "libs/bus/connection.hpp"

#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "libs/bus/control.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::bus {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::waitUntil;

std::unique_ptr<Connection> connectTo(const std::string& url, ConnectionKind kind, const std::string& user = {},
                                      const std::string& password = {}) {
  auto connection = Connection::open({.url = url, .user = user, .password = password, .ca_file = {}, .name = "test"}, kind);
  EXPECT_TRUE(connection.has_value());
  return std::move(*connection);
}

TEST(Subjects, AreBuiltAsDocumented) {
  EXPECT_EQ(subjects::callEvent("ended", base::TrunkId(42)), "tg.evt.call.v1.ended.42");
  EXPECT_EQ(subjects::callEvent("rejected", base::TrunkId()), "tg.evt.call.v1.rejected.0");
  EXPECT_EQ(subjects::configChanged("trunk"), "tg.evt.config.v1.changed.trunk");
  EXPECT_EQ(subjects::creditEvent("low", base::CustomerId(7)), "tg.evt.credit.v1.low.7");
  EXPECT_EQ(subjects::instanceAlive("in-1"), "tg.evt.ingress.v1.alive.in-1");
  EXPECT_EQ(subjects::deliver("billing"), "tg.deliver.billing");
}

TEST(Connection, RefusesABadUrlAndAMissingCaFile) {
  EXPECT_EQ(Connection::open({.url = "nats://127.0.0.1:notaport", .user = {}, .password = {}, .ca_file = {}, .name = "test"},
                             ConnectionKind::kEvents)
                .error()
                .code,
            ErrorCode::kInvalid);
  EXPECT_EQ(Connection::open({.url = "nats://127.0.0.1:4222", .user = {}, .password = {}, .ca_file = "/nowhere.pem", .name = "test"},
                             ConnectionKind::kEvents)
                .error()
                .code,
            ErrorCode::kInvalid);
}

// REQUIREMENTS 12.2.
TEST(Connection, ComesUpWhenTheServerDoes) {
  testkit::NatsServer server;
  server.stop();
  const auto connection = connectTo(server.url(), ConnectionKind::kEvents);
  EXPECT_FALSE(connection->isConnected());
  std::atomic<int> received{0};
  const auto subscription = connection->subscribe("tg.evt.test", "", [&](const Delivery&) { ++received; });
  ASSERT_TRUE(subscription.has_value());
  server.start();
  ASSERT_TRUE(waitUntil([&] { return connection->isConnected(); }));
  ASSERT_TRUE(connection->publish("tg.evt.test", "x"));
  EXPECT_TRUE(waitUntil([&] { return received > 0; }));
}

TEST(Connection, DeliversBufferedEventsAfterAnOutage) {
  testkit::NatsServer server;
  const auto publisher = connectTo(server.url(), ConnectionKind::kEvents);
  const auto reader = connectTo(server.url(), ConnectionKind::kRequests);
  std::mutex mutex;
  std::vector<std::string> received;
  const auto subscription = reader->subscribe("tg.evt.>", "", [&](const Delivery& delivery) {
    const std::lock_guard lock(mutex);
    received.emplace_back(delivery.data);
  });
  server.kill();
  ASSERT_TRUE(waitUntil([&] { return !publisher->isConnected() && !reader->isConnected(); }));
  ASSERT_TRUE(publisher->publish("tg.evt.test", "kept"));
  server.start();
  // The reader may be back later than the publisher; what is published then is delivered too.
  EXPECT_TRUE(waitUntil([&] {
    static_cast<void>(publisher->publish("tg.evt.test", "later"));
    const std::lock_guard lock(mutex);
    return !received.empty();
  }));
}

TEST(Connection, KeepsTryingWhenTheServerRefusesItsCredentials) {
  testkit::NatsServer server({.jetstream = false, .extra = "authorization { users = [ { user: auth, password: right } ] }\n", .whole = {}});
  const auto wrong = connectTo(server.url(), ConnectionKind::kRequests, "auth", "wrong");
  EXPECT_FALSE(wrong->isConnected());
  std::atomic<int> received{0};
  const auto subscription = wrong->subscribe("tg.evt.test", "", [&](const Delivery&) { ++received; });
  ASSERT_TRUE(subscription.has_value());
  // Until the library gives the connection up, its buffer takes the message.
  EXPECT_TRUE(waitUntil([&] {
    const auto published = wrong->publish("tg.evt.test", "x");
    return !published && published.error().code == ErrorCode::kUnavailable;
  }));
  EXPECT_TRUE(waitUntil([&] { return wrong->metrics().rebuilds.value() >= 2; }));

  const auto right = connectTo(server.url(), ConnectionKind::kRequests, "auth", "right");
  EXPECT_TRUE(right->isConnected());
}

// The library gives up for good after two refusals in a row; the connection must not.
TEST(Connection, RecoversWhenCredentialsAreRefusedForAWhile) {
  testkit::PortLease port;
  const auto config = [](const std::string& password) {
    return testkit::NatsOptions{.jetstream = false, .extra = "authorization { user: auth, password: " + password + " }\n", .whole = {}};
  };
  testkit::NatsServer server(config("right"));
  const auto connection = connectTo(server.url(), ConnectionKind::kRequests, "auth", "right");
  ASSERT_TRUE(connection->isConnected());
  std::atomic<int> received{0};
  const auto subscription = connection->subscribe("tg.evt.test", "", [&](const Delivery&) { ++received; });
  const std::string good = testkit::readFile(server.folder().file("nats.conf"));
  server.kill();
  // The same port with another password, by a server of its own configuration.
  std::string bad = good;
  bad.replace(bad.find("right"), 5, "wrong");
  testkit::writeFile(server.folder().file("bad.conf"), bad);
  auto other = testkit::Child::start({.command = {"nats-server", "-c", server.folder().file("bad.conf")},
                                      .environment = {},
                                      .output_file = {},
                                      .input_file = {},
                                      .working_directory = {}});
  ASSERT_TRUE(other.has_value());
  ASSERT_TRUE(waitUntil([&] { return connection->metrics().rebuilds.value() >= 1; }, 20s));
  other->reset();
  server.start();
  ASSERT_TRUE(waitUntil([&] { return connection->isConnected(); }, 20s));
  EXPECT_TRUE(waitUntil([&] {
    static_cast<void>(connection->publish("tg.evt.test", "x"));
    return received > 0;
  }));
}

// A stalled server must not hold the thread that publishes (REQUIREMENTS 12.2).
TEST(Connection, DoesNotBlockPublishersWhenTheServerStalls) {
  testkit::NatsServer server;
  const auto connection = connectTo(server.url(), ConnectionKind::kRequests);
  server.pause();
  const std::string data(100'000, 'x');
  auto longest = std::chrono::steady_clock::duration::zero();
  const bool lost = waitUntil(
      [&] {
        const auto start = std::chrono::steady_clock::now();
        static_cast<void>(connection->publish("tg.evt.test", data));
        longest = std::max(longest, std::chrono::steady_clock::now() - start);
        return !connection->isConnected();
      },
      20s);
  EXPECT_TRUE(lost);
  EXPECT_LT(longest, 1500ms);
  server.resume();
  EXPECT_TRUE(waitUntil([&] { return connection->isConnected(); }, 20s));
}

TEST(Connection, DoesNotRunAHandlerAfterItsSubscriptionIsGone) {
  testkit::NatsServer server;
  const auto connection = connectTo(server.url(), ConnectionKind::kRequests);
  for (int i = 0; i < 50; ++i) {
    auto alive = std::make_shared<std::atomic<bool>>(true);
    std::atomic<int> received{0};
    {
      const auto subscription = connection->subscribe("tg.evt.test", "", [&received, alive](const Delivery&) {
        EXPECT_TRUE(*alive);
        ++received;
      });
      ASSERT_TRUE(connection->publish("tg.evt.test", "x"));
      ASSERT_TRUE(connection->publish("tg.evt.test", "x"));
    }
    *alive = false;
    EXPECT_EQ(received, 2);  // drained, not dropped
    ASSERT_TRUE(connection->publish("tg.evt.test", "nobody"));
  }
}

TEST(Connection, SubscriptionMayOutliveTheConnection) {
  testkit::NatsServer server;
  auto connection = connectTo(server.url(), ConnectionKind::kRequests);
  auto subscription = connection->subscribe("tg.evt.test", "", [](const Delivery&) {});
  ASSERT_TRUE(connection->publish("tg.evt.test", "x"));
  connection.reset();
}

TEST(Gather, CollectsTheRepliesOfAllInstances) {
  testkit::NatsServer server;
  const auto ours = connectTo(server.url(), ConnectionKind::kRequests);
  const auto theirs = connectTo(server.url(), ConnectionKind::kRequests);
  const auto answer = [&](const Delivery& delivery) { static_cast<void>(theirs->publish(delivery.reply_to, delivery.data)); };
  const std::string subject = "tg.ctl.ingress.v1.report_calls";
  EXPECT_TRUE(gatherReplies(*ours, subject, "x", 0, 10s).empty());  // nobody there: at once
  const auto one = theirs->subscribe(subject, "", answer);
  const auto two = theirs->subscribe(subject, "", answer);
  ASSERT_TRUE(theirs->flush(2s));
  EXPECT_EQ(gatherReplies(*ours, subject, "x", 2, 10s), (std::vector<std::string>{"x", "x"}));
  EXPECT_EQ(gatherReplies(*ours, subject, "x", 0, 200ms).size(), 2U);
}

}  // namespace
}  // namespace tollgate::bus
