// The operations port against clients that misbehave: idle, slow, hostile, many. Over real loopback sockets.
#include "libs/service/ops_server.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/testkit/http.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::service {
namespace {

// A connection on which the test decides what is sent.
class Wire {
 public:
  explicit Wire(std::uint16_t port) : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(handle_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  }
  ~Wire() { ::close(handle_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  [[nodiscard]] bool isConnected() const { return is_connected_; }
  void send(std::string_view bytes) const { (void)::send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  [[nodiscard]] bool isEndedNow() const {
    char byte = 0;
    const auto length = ::recv(handle_, &byte, 1, MSG_DONTWAIT);
    return length == 0 || (length < 0 && errno != EAGAIN);
  }
  // True when the other side has ended the connection within ten seconds; what it sent before is thrown away.
  [[nodiscard]] bool isEnded() const {
    char buffer[4096];
    pollfd entry = {handle_, POLLIN, 0};
    while (::poll(&entry, 1, 10000) > 0) {
      if (::recv(handle_, buffer, sizeof buffer, 0) <= 0) {
        return true;
      }
    }
    return false;
  }

 private:
  int handle_;
  bool is_connected_ = false;
};

class OpsServerTest : public testing::Test {
 protected:
  OpsServerTest() {
    server_.route("/healthz", [] { return OpsResponse{200, "application/json", R"({"alive":true})"}; });
    server_.route("/large", [] { return OpsResponse{200, "text/plain", std::string(kLargeBytes, 'x')}; });
    const auto started = server_.start();
    EXPECT_TRUE(started) << started.error().message;
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  [[nodiscard]] std::uint16_t port() const { return lease_.port(); }
  [[nodiscard]] bool isWell() const {
    const auto answer = testkit::httpGet(port(), "/healthz", std::chrono::seconds(30));
    return answer && answer->status == 200 && answer->body == R"({"alive":true})";
  }
  // `count` connections that have sent `text` and wait.
  [[nodiscard]] std::vector<std::unique_ptr<Wire>> hold(int count, std::string_view text) const {
    std::vector<std::unique_ptr<Wire>> held;
    for (int i = 0; i < count; ++i) {
      held.push_back(std::make_unique<Wire>(port()));
      EXPECT_TRUE(held.back()->isConnected());
      held.back()->send(text);
    }
    return held;
  }

  static constexpr std::size_t kLargeBytes = 16U << 20U;
  testkit::PortLease lease_;
  std::atomic<int> dropped_{0};
  OpsServer server_{"127.0.0.1", lease_.port(), [this] { ++dropped_; }};
};

TEST_F(OpsServerTest, AnswersItsPathsAndNothingElse) {
  EXPECT_TRUE(isWell());
  EXPECT_EQ(testkit::httpGet(port(), "/healthz?verbose=1")->status, 200);
  EXPECT_EQ(testkit::httpGet(port(), "/")->status, 404);
  EXPECT_EQ(testkit::httpGet(port(), "/../../etc/passwd")->status, 404);
  const auto head = testkit::httpRequest(port(), "HEAD", "/healthz");
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const auto refused = testkit::httpRequest(port(), method, "/healthz", {}, "x");
    ASSERT_TRUE(refused) << method << ": " << refused.error().message;
    EXPECT_EQ(refused->status, 405) << method;
    EXPECT_EQ(refused->headers.at("allow"), "GET, HEAD");
  }
}

TEST_F(OpsServerTest, AnswersAProbeWhileAThousandConnectionsAreIdle) {
  const auto held = hold(1000, "");
  EXPECT_TRUE(isWell());
  EXPECT_GE(dropped_, 1000 - static_cast<int>(OpsServer::kWaitingMax));
}

TEST_F(OpsServerTest, AnswersAProbeWhileAThousandRequestsNeverEnd) {
  const auto held = hold(1000, "GET /healthz HT");
  EXPECT_TRUE(isWell());
}

TEST_F(OpsServerTest, AnswersAProbeWhileAThousandAnsweredClientsStay) {
  const auto held = hold(1000, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(isWell());
}

TEST_F(OpsServerTest, AnswersAProbeWhileNobodyReadsLargeAnswers) {
  const auto held = hold(5 * OpsServer::kWaitingMax, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");  // more than there are threads
  EXPECT_TRUE(isWell());
}

// The clients send their heads a byte at a time and open a new connection for each one that they lose. Without room being made a probe
// would wait behind them for half a minute: 16 threads, 2 seconds each. A probe may be repeated twice, as Kubernetes does by default.
TEST_F(OpsServerTest, AnswersProbesWhileClientsDripAndReconnect) {
  constexpr int kClients = 300;
  constexpr int kProbes = 10;
  std::atomic<bool> is_over{false};
  std::atomic<int> rounds{0};
  std::thread clients([&] {
    std::vector<std::unique_ptr<Wire>> held(kClients);
    for (; !is_over; ++rounds) {
      for (auto& wire : held) {
        if (wire == nullptr || wire->isEndedNow()) {
          wire = std::make_unique<Wire>(port());
          wire->send("GET /healthz HTTP/1.1\r\nX: ");
        } else {
          wire->send("a");
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_TRUE(testkit::waitUntil([&] { return rounds >= 3; }));
  for (int i = 0; i < kProbes; ++i) {
    bool is_answered = false;
    for (int attempt = 0; attempt < 3 && !is_answered; ++attempt) {
      const auto answer = testkit::httpGet(port(), "/healthz", std::chrono::seconds(5));
      is_answered = answer && answer->status == 200;
    }
    EXPECT_TRUE(is_answered) << "probe " << i;
  }
  is_over = true;
  clients.join();
}

TEST_F(OpsServerTest, EndsAConnectionThatDoesNotSendItsRequest) {
  const Wire idle(port());
  const Wire slow(port());
  slow.send("GET /healthz HTTP/1.1\r\nHos");
  EXPECT_TRUE(idle.isEnded());
  EXPECT_TRUE(slow.isEnded());
  EXPECT_EQ(dropped_, 0) << "the deadline ended them, not a newer connection";
}

TEST_F(OpsServerTest, OutlivesHostileRequests) {
  for (int i = 0; i < 20; ++i) {
    for (const std::string& text :
         {std::string("POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nxx"),
          std::string("POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nxx"),
          std::string("POST /healthz HTTP/1.1\r\nContent-Length: -5\r\n\r\nx"), std::string("GET /healthz HTTP/9.9\r\n\r\n"),
          std::string("GET /%zz%00 HTTP/1.1\r\n\r\n"), std::string("GET /healthz HTTP/1.1\r\nX: ") + std::string(20000, 'x'),
          std::string("\x16\x03\x01\x02\x00\x01\x00", 7), std::string("GARBAGE\r\n\r\n")}) {
      const Wire wire(port());
      wire.send(text);
    }
  }
  EXPECT_TRUE(isWell());
}

TEST_F(OpsServerTest, ServesManyClientsAtTheSameTime) {
  constexpr int kClients = 6;  // no more than may wait
  constexpr int kRequests = 50;
  std::vector<std::future<int>> results;
  for (int i = 0; i < kClients; ++i) {
    results.push_back(std::async(std::launch::async, [this] {
      int good = 0;
      for (int n = 0; n < kRequests; ++n) {
        good += isWell() ? 1 : 0;
      }
      return good;
    }));
  }
  int good = 0;
  for (auto& result : results) {
    good += result.get();
  }
  EXPECT_EQ(good, kClients * kRequests);
}

TEST_F(OpsServerTest, StopsWhileConnectionsAreIdle) {
  const auto held = hold(4, "");
  server_.stop();
  EXPECT_EQ(testkit::httpGet(port(), "/healthz").error().code, base::ErrorCode::kUnavailable);
  for (const auto& wire : held) {
    EXPECT_TRUE(wire->isEnded());
  }
}

}  // namespace
}  // namespace tollgate::service
