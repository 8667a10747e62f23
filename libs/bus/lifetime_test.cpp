// Who may be gone when the NATS client calls back: what the library does (pin tests, libs/bus/TRAPS.md 2.16), and that our objects can be
// destroyed at any time, while the server comes and goes.
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/bus/connection.hpp"
#include "libs/bus/nats_handles.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::bus {
namespace {

using namespace std::chrono_literals;
using testkit::waitUntil;

constexpr int kLateErrors = 300;

void sendAll(int socket, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// A server that takes one client and then sends it a fatal error and many others behind it, all at once.
class FatalServer {
 public:
  FatalServer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~FatalServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  FatalServer(const FatalServer&) = delete;
  FatalServer& operator=(const FatalServer&) = delete;

  [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  void fail() { fail_.set_value(); }

 private:
  void serve() {
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) {
      return;
    }
    sendAll(client, "INFO {\"server_id\":\"x\",\"version\":\"2.9.10\",\"headers\":true,\"max_payload\":1048576}\r\n");
    std::string got;
    char buffer[4096];
    for (ssize_t size = 1; size > 0 && got.find("PING\r\n") == std::string::npos;) {
      size = ::recv(client, buffer, sizeof buffer, 0);
      got.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    sendAll(client, "PONG\r\n");
    fail_.get_future().wait_for(10s);
    std::string errors = "-ERR 'Fatal'\r\n";
    for (int i = 0; i < kLateErrors; ++i) {
      errors += "-ERR 'Permissions Violation for Publish to \"x\"'\r\n";
    }
    sendAll(client, errors);
    while (::recv(client, buffer, sizeof buffer, 0) > 0) {  // until the client has closed
    }
    ::close(client);
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::promise<void> fail_;
  std::jthread thread_;
};

NatsOptions optionsFor(const std::string& url) {
  natsOptions* options = nullptr;
  EXPECT_EQ(natsOptions_Create(&options), NATS_OK);
  EXPECT_EQ(natsOptions_SetURL(options, url.c_str()), NATS_OK);
  return NatsOptions(options);
}

NatsConnection connectWith(const NatsOptions& options) {
  natsConnection* connection = nullptr;
  EXPECT_EQ(natsConnection_Connect(&connection, options.get()), NATS_OK);
  return NatsConnection(connection);
}

// libs/bus/TRAPS.md 2.16: were this the last callback, the owner's objects could be freed in it. When this fails after an upgrade, read
// that section again.
TEST(NatsLibrary, ReportsErrorsAfterTheClosedCallback) {
  struct Seen {
    std::atomic<bool> closed{false};
    std::atomic<int> errors_after{0};
  } seen;
  FatalServer server;
  const NatsOptions options = optionsFor(server.url());
  natsOptions_SetClosedCB(
      options.get(), [](natsConnection* /*nc*/, void* closure) { static_cast<Seen*>(closure)->closed = true; }, &seen);
  natsOptions_SetErrorHandler(
      options.get(),
      [](natsConnection* /*nc*/, natsSubscription* /*sub*/, natsStatus /*status*/, void* closure) {
        auto& to = *static_cast<Seen*>(closure);
        to.errors_after += to.closed ? 1 : 0;
      },
      &seen);
  const NatsConnection connection = connectWith(options);
  server.fail();
  EXPECT_TRUE(waitUntil([&] { return seen.errors_after == kLateErrors; }));
}

// libs/bus/TRAPS.md 2.16: the completion of a subscription tells of its last message, but cannot be asked for in time.
TEST(NatsLibrary, RefusesACompletionCallbackWhileAHandlerRunsOnAClosedConnection) {
  struct Seen {
    std::atomic<bool> is_held{true};
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::atomic<int> completed{0};
  } seen;
  testkit::NatsServer server;
  const NatsOptions options = optionsFor(server.url());
  NatsConnection connection = connectWith(options);
  natsSubscription* raw = nullptr;
  ASSERT_EQ(natsConnection_Subscribe(
                &raw, connection.get(), "tg.evt.test",
                [](natsConnection* /*nc*/, natsSubscription* /*sub*/, natsMsg* message, void* closure) {
                  auto& to = *static_cast<Seen*>(closure);
                  ++to.begun;
                  EXPECT_TRUE(waitUntil([&] { return !to.is_held; }));
                  natsMsg_Destroy(message);
                  ++to.ended;
                },
                &seen),
            NATS_OK);
  NatsSubscription subscription(raw);
  ASSERT_EQ(natsConnection_PublishString(connection.get(), "tg.evt.test", "x"), NATS_OK);
  ASSERT_TRUE(waitUntil([&] { return seen.begun == 1; }));
  natsConnection_Close(connection.get());
  EXPECT_EQ(natsSubscription_SetOnCompleteCB(
                subscription.get(), [](void* closure) { ++static_cast<Seen*>(closure)->completed; }, &seen),
            NATS_INVALID_SUBSCRIPTION);
  subscription.reset();
  connection.reset();
  EXPECT_EQ(seen.ended, 0);  // both are destroyed, and the handler still runs
  seen.is_held = false;
  EXPECT_TRUE(waitUntil([&] { return seen.ended == 1; }));
  EXPECT_EQ(seen.completed, 0);
}

TEST(Connection, TakesErrorsThatComeAfterItWasClosed) {
  FatalServer server;
  telemetry::Metrics metrics;
  auto connection = Connection::open({.url = server.url(), .user = {}, .password = {}, .ca_file = {}, .name = "test"},
                                     ConnectionKind::kEvents, ExportTo{metrics, "test"});
  ASSERT_TRUE(connection.has_value());
  ASSERT_TRUE((*connection)->isConnected());
  server.fail();
  EXPECT_TRUE(waitUntil([&] { return (*connection)->metrics().errors.value() == kLateErrors; }));
  EXPECT_FALSE((*connection)->isConnected());
}

// What a handler uses may be destroyed after the connection: no handler may still run then.
TEST(Connection, WaitsForARunningHandlerBeforeItIsGone) {
  testkit::NatsServer server;
  auto opened =
      Connection::open({.url = server.url(), .user = {}, .password = {}, .ca_file = {}, .name = "test"}, ConnectionKind::kRequests);
  ASSERT_TRUE(opened.has_value());
  std::unique_ptr<Connection> connection = std::move(*opened);
  std::atomic<bool> is_running{false};
  std::atomic<bool> is_gone{false};
  std::atomic<bool> ran_after{false};
  std::atomic<bool> has_ended{false};
  connection->onChange([&](bool) {
    is_running = true;
    ran_after = waitUntil([&] { return is_gone.load(); }, 300ms);
    has_ended = true;
  });
  server.kill();
  ASSERT_TRUE(waitUntil([&] { return is_running.load(); }));
  connection.reset();
  is_gone = true;
  EXPECT_TRUE(waitUntil([&] { return has_ended.load(); }));
  EXPECT_FALSE(ran_after);
}

// Everything that callbacks use is destroyed in each turn, whatever the server does then. Memory that is used too late is found by the
// sanitizers.
TEST(Connection, CanBeDestroyedWhileTheServerComesAndGoes) {
  testkit::NatsServer server;
  const std::string url = server.url();
  std::atomic<int> turns{0};
  std::jthread breaker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const int seen = turns;
      static_cast<void>(waitUntil([&] { return turns >= seen + 3 || stop.stop_requested(); }));
      server.kill();
      const int then = turns;
      static_cast<void>(waitUntil([&] { return turns >= then + 2 || stop.stop_requested(); }));
      server.start();
    }
  });
  int connects = 0;
  for (; turns < 60; ++turns) {
    telemetry::Metrics metrics;
    std::atomic<int> heard{0};
    std::mutex mutex;
    std::string last;
    const auto open = [&](ConnectionKind kind) {
      auto opened = Connection::open({.url = url, .user = {}, .password = {}, .ca_file = {}, .name = "test"}, kind,
                                     ExportTo{metrics, kind == ConnectionKind::kEvents ? "one" : "two"});
      EXPECT_TRUE(opened.has_value());
      return std::move(*opened);
    };
    auto requests = open(ConnectionKind::kRequests);
    auto events = open(ConnectionKind::kEvents);
    requests->onChange([&](bool) { ++heard; });
    std::optional<Subscription> subscription = *requests->subscribe("tg.evt.>", "", [&](const Delivery& delivery) {
      const std::lock_guard lock(mutex);
      last = delivery.data;
    });
    for (int i = 0; i < 20; ++i) {
      static_cast<void>(events->publish("tg.evt.test", "x"));
      static_cast<void>(requests->publish("tg.evt.test", "y"));
    }
    connects += requests->isConnected() ? 1 : 0;
    if (turns % 3 == 0) {
      subscription.reset();
    } else if (turns % 3 == 1) {
      events.reset();
    }
    requests.reset();
  }
  EXPECT_GT(connects, 0);
}

}  // namespace
}  // namespace tollgate::bus
