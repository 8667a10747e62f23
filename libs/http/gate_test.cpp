// What unknown sources send, and when: heads, limits, slowness, connections. Over real loopback sockets.
#include <chrono>
#include <future>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

#include "libs/base/handle.hpp"
#include "libs/http/client.hpp"
#include "libs/http/head.hpp"
#include "libs/http/server.hpp"

namespace tollgate::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int refusal(std::string_view text) {
  const auto head = parseHead(text, 1000);
  return head ? 0 : head.error().status;
}

TEST(Head, IsParsedAndWrittenAnew) {
  const auto head = parseHead(
      "PUT /a%20b/{x}?q=[1]|2 HTTP/1.1\r\nHOST: h\r\nX-One:\ta b \r\nContent-Length: 5\r\nConnection: keep-alive\r\n"
      "tollgate-gate-remote: 6.6.6.6\r\nExpect: 100-continue\r\n\r\n",
      1000);
  ASSERT_TRUE(head) << head.error().body;
  EXPECT_EQ(head->body_bytes, 5U);
  EXPECT_TRUE(head->is_kept_open);
  EXPECT_TRUE(head->is_continue_awaited);
  EXPECT_EQ(
      writeHead(*head, {{"ours", "1"}}),
      "PUT /a%20b/%7Bx%7D?q=%5B1%5D%7C2 HTTP/1.1\r\nhost: h\r\nx-one: a b\r\nours: 1\r\ncontent-length: 5\r\nconnection: close\r\n\r\n");
}

TEST(Head, TellsWhetherTheConnectionStays) {
  const auto is_kept = [](std::string_view text) { return parseHead(text, 0)->is_kept_open; };
  EXPECT_TRUE(is_kept("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(is_kept("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n"));
  EXPECT_FALSE(is_kept("GET / HTTP/1.0\r\n\r\n"));
}

TEST(Head, RefusesWhatHasTwoReadings) {
  const struct {
    const char* text;
    int status;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/9.9\r\n\r\n", 505},
      {"GET /a b HTTP/1.1\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\n\r\n", 400},
      {"GET http://h/ HTTP/1.1\r\n\r\n", 400},
      {"OPTIONS * HTTP/1.1\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\n\r\n", 400},
      {"GET /?a=%zz HTTP/1.1\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {"GET /\xC3\xA9 HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: empty\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nspace : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: \x7F\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
      {"GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", 400},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(refusal(one.text), one.status) << one.text;
  }
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 101; ++i) {
    many += "a: b\r\n";
  }
  EXPECT_EQ(refusal(many + "\r\n"), 431);
  EXPECT_EQ(refusal("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n"), 414);
}

// A connection that the test drives byte by byte.
class Wire {
 public:
  explicit Wire(std::uint16_t port) : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(handle_.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  }
  [[nodiscard]] bool isConnected() const { return is_connected_; }
  void send(std::string_view bytes) const { (void)::send(handle_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void endSending() const { ::shutdown(handle_.value(), SHUT_WR); }

  // Everything that comes until `text` has come `count` times, the other side closes, or ten seconds are over.
  std::string readUntil(std::string_view text, int count = 1) {
    const auto has_all = [&] {
      if (text.empty()) {
        return false;
      }
      int found = 0;
      for (auto at = got_.find(text); at != std::string::npos; at = got_.find(text, at + 1)) {
        ++found;
      }
      return found >= count;
    };
    char buffer[4096];
    pollfd entry = {handle_.value(), POLLIN, 0};
    while (!has_all() && ::poll(&entry, 1, 10000) > 0) {
      const auto length = ::recv(handle_.value(), buffer, sizeof buffer, 0);
      if (length <= 0) {
        is_closed_ = true;
        break;
      }
      got_.append(buffer, static_cast<std::size_t>(length));
    }
    return got_;
  }
  std::string readAll() { return readUntil(""); }
  [[nodiscard]] bool isClosed() const { return is_closed_; }

 private:
  base::Handle handle_;
  bool is_connected_ = false;
  bool is_closed_ = false;
  std::string got_;
};

class GateTest : public testing::Test {
 protected:
  void start(const ServerSettings& settings = {}) {
    server_ = std::make_unique<Server>(settings);
    server_->route("GET", "/who", [](const Request& request) {
      const bool has_ours = request.headers.contains("tollgate-gate-secret") || request.headers.contains("tollgate-gate-remote");
      return Response{200, "text/plain", request.remote_address + (has_ours ? " leaked" : " clean"), {}};
    });
    server_->route("POST", "/echo", [](const Request& request) { return Response{200, "text/plain", request.body, {}}; });
    server_->route("GET", "/large", [](const Request&) { return Response{200, "text/plain", std::string(kLargeBytes, 'x'), {}}; });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] bool isWell() const {
    const auto answer = get(port(), "/who");
    return answer && answer->body == "127.0.0.1 clean";
  }

  static constexpr std::size_t kLargeBytes = 8U << 20U;
  std::unique_ptr<Server> server_;
};

TEST_F(GateTest, TellsTheHandlerWhoAskedAndHidesItsOwnHeaders) {
  start();
  ClientRequest wanted;
  wanted.port = port();
  wanted.target = "/who";
  wanted.headers = {{"Tollgate-Gate-Remote", "6.6.6.6"}, {"Tollgate-Gate-Secret", "guess"}};
  EXPECT_EQ(request(wanted)->body, "127.0.0.1 clean");
}

TEST_F(GateTest, AnswersRequestsSentBehindEachOtherInOrder) {
  start();
  Wire wire(port());
  wire.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  wire.send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast");
  const std::string all = wire.readAll();
  EXPECT_TRUE(wire.isClosed());
  const auto first = all.find("first");
  const auto second = all.find("127.0.0.1 clean");
  ASSERT_NE(second, std::string::npos) << all;
  EXPECT_LT(first, second);
  EXPECT_LT(second, all.find("last"));
  EXPECT_NE(all.find("Connection: close"), std::string::npos);
}

TEST_F(GateTest, TakesARequestByteByByte) {
  start();
  Wire wire(port());
  for (const char c : std::string_view("\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) {
    wire.send(std::string_view(&c, 1));
  }
  EXPECT_NE(wire.readUntil("abc").find("200 OK"), std::string::npos);
}

TEST_F(GateTest, AnswersAClientThatEndedItsSide) {
  start();
  Wire wire(port());
  wire.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  wire.endSending();
  EXPECT_NE(wire.readAll().find("127.0.0.1 clean"), std::string::npos);
}

TEST_F(GateTest, AsksForTheBodyWhenTheClientWaitsToBeAsked) {
  start();
  Wire wire(port());
  wire.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_NE(wire.readUntil("\r\n\r\n").find("100 Continue"), std::string::npos);
  wire.send("abc");
  EXPECT_NE(wire.readUntil("abc").find("200 OK"), std::string::npos);
}

TEST_F(GateTest, PassesALargeAnswerToASlowReader) {
  start();
  Wire slow(port());
  slow.send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(isWell()) << "others are served while one does not read";
  EXPECT_GT(slow.readAll().size(), kLargeBytes);
}

TEST_F(GateTest, RefusesAHeadWithoutEnd) {
  start();
  Wire wire(port());
  wire.send("GET /who HTTP/1.1\r\nX: " + std::string(20000, 'x'));
  EXPECT_EQ(wire.readAll().substr(0, 12), "HTTP/1.1 431");
  EXPECT_TRUE(wire.isClosed());
}

TEST_F(GateTest, GivesUpOnSlowHeadsAndIdleConnections) {
  ServerSettings settings;
  settings.head_timeout = milliseconds(150);
  settings.idle_timeout = milliseconds(150);
  start(settings);
  Wire half(port());
  half.send("GET /who HT");
  Wire silent(port());
  Wire idle(port());
  idle.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(half.readAll().substr(0, 12), "HTTP/1.1 408");
  EXPECT_EQ(silent.readAll(), "");
  EXPECT_TRUE(silent.isClosed());
  EXPECT_NE(idle.readAll().find("127.0.0.1 clean"), std::string::npos);
  EXPECT_TRUE(idle.isClosed());
}

TEST_F(GateTest, RefusesConnectionsOverTheLimitAndServesAgainAfterwards) {
  ServerSettings settings;
  settings.connections_max = 3;
  start(settings);
  {
    std::vector<std::unique_ptr<Wire>> held;
    for (int i = 0; i < 3; ++i) {
      held.push_back(std::make_unique<Wire>(port()));
      held.back()->send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
      ASSERT_NE(held.back()->readUntil("clean").find("clean"), std::string::npos);
    }
    Wire over(port());
    over.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(over.readAll().substr(0, 12), "HTTP/1.1 503");
  }
  const auto end = std::chrono::steady_clock::now() + seconds(10);
  while (!isWell() && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(isWell());
}

TEST_F(GateTest, SurvivesWhatKillsTheLibrary) {
  start();
  for (int i = 0; i < 20; ++i) {
    for (const char* text :
         {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nxx", "POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\nx",
          "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nxx", "\x16\x03\x01\x02\x00\x01\x00"}) {
      Wire wire(port());
      wire.send(text);
      wire.endSending();
      wire.readAll();
    }
  }
  EXPECT_TRUE(isWell());
}

TEST_F(GateTest, StopDoesNotWaitForIdleConnections) {
  start();
  Wire idle(port());
  idle.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.readUntil("clean");
  const auto before = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
  EXPECT_EQ(get(port(), "/who").error().code, base::ErrorCode::kUnavailable);
}

TEST_F(GateTest, ServesManyClientsAtOnce) {
  ServerSettings settings;
  settings.queue_max = 10000;
  start(settings);
  std::vector<std::future<int>> results;
  constexpr int kClients = 8;
  constexpr int kRequests = 50;
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

}  // namespace
}  // namespace tollgate::http
