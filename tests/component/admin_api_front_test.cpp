// The real nginx with the configuration that is deployed, in front of the real HTTP server, against hostile, slow and broken clients. Every
// refusal is a problem document, nothing hangs, and the server goes on serving.
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/base/handle.hpp"
#include "libs/http/server.hpp"
#include "libs/testkit/http.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::http {
namespace {

using std::chrono::seconds;
using Changes = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kProxySecret = "0123456789abcdef0123456789abcdef";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  EXPECT_NE(text.find(what), std::string::npos) << what;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// nginx as scripts/up starts it; `changes` to the template are for deadlines that a test does not want to wait for.
class Nginx final : public testkit::Server {
 public:
  Nginx(std::uint16_t backend_port, Changes changes) : backend_port_(backend_port), changes_(std::move(changes)) { startFirst(); }

 private:
  [[nodiscard]] std::vector<std::string> command() override {
    std::string text = testkit::readFile(TOLLGATE_SOURCE_DIR "/deploy/nginx/nginx.conf.template");
    for (const auto& [what, with] : changes_) {
      text = replaced(text, what, with);
    }
    const std::string base = folder().path().string();
    for (const char* place : {"@RUN_DIR@", "@LOG_DIR@", "@NGINX_DIR@"}) {
      text = replaced(text, place, base);
    }
    text = replaced(text, "@API_LISTEN@", "127.0.0.1:" + std::to_string(port()));
    text = replaced(text, "@API_BACKEND_PORT@", std::to_string(backend_port_));
    text = replaced(text, "@API_PROXY_SECRET@", kProxySecret);
    testkit::writeFile(folder().file("nginx.conf"), text);
    const std::string as_root = ::geteuid() == 0 ? " user root;" : "";
    return {"nginx", "-p", base, "-c", folder().file("nginx.conf"), "-g", "daemon off; master_process off;" + as_root};
  }
  [[nodiscard]] std::string_view readyText() const override { return "getrlimit(RLIMIT_NOFILE)"; }

  const std::uint16_t backend_port_;
  const Changes changes_;
};

// A connection that the test drives byte by byte, from 127.0.0.`last`.
class Wire {
 public:
  explicit Wire(std::uint16_t port, std::uint32_t last = 1) : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl((127U << 24U) + last);
    (void)::bind(handle_.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(handle_.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  }
  [[nodiscard]] bool isConnected() const { return is_connected_; }
  void send(std::string_view bytes) const { (void)::send(handle_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void endSending() const { ::shutdown(handle_.value(), SHUT_WR); }

  // Everything that comes until `text` has come, the other side closes, or twenty seconds are over.
  std::string readUntil(std::string_view text) {
    char buffer[4096];
    pollfd entry = {handle_.value(), POLLIN, 0};
    while ((text.empty() || got_.find(text) == std::string::npos) && ::poll(&entry, 1, 20000) > 0) {
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

int statusOf(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.substr(9, 3).c_str()) : 0;
}

class AdminApiFront : public testing::Test {
 protected:
  void start(const Changes& changes = {}) {
    server_ = std::make_unique<Server>(settingsAt(0));
    server_->route("GET", "/v1/who", [](const Request& request) { return Response{200, "text/plain", request.remote_address, {}}; });
    server_->route("POST", "/v1/echo", [](const Request& request) { return Response{200, "text/plain", request.body, {}}; });
    server_->route("GET", "/v1/large", [](const Request&) { return Response{200, "text/plain", std::string(kLargeBytes, 'x'), {}}; });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    rlimit limit = {};  // first: nginx inherits it
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 20000);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    files_max_ = static_cast<int>(limit.rlim_cur);
    nginx_ = std::make_unique<Nginx>(server_->port(), changes);
  }

  static ServerSettings settingsAt(std::uint16_t port) {
    ServerSettings settings;
    settings.port = port;
    settings.proxy_secret = kProxySecret;
    return settings;
  }
  [[nodiscard]] std::uint16_t port() const { return nginx_->port(); }
  [[nodiscard]] bool isWell(std::uint32_t from = 1) const {
    Wire wire(port(), from);
    wire.send("GET /v1/who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string answer = wire.readAll();
    return statusOf(answer) == 200 && answer.ends_with("127.0.0." + std::to_string(from));
  }
  [[nodiscard]] std::vector<std::unique_ptr<Wire>> hold(int count, std::string_view text) const {
    std::vector<std::unique_ptr<Wire>> held;
    for (int i = 0; i < count; ++i) {
      held.push_back(std::make_unique<Wire>(port()));
      EXPECT_TRUE(held.back()->isConnected());
      held.back()->send(text);
    }
    return held;
  }
  void expectProblem(const std::string& answer, int status) {
    EXPECT_EQ(statusOf(answer), status) << answer;
    EXPECT_NE(answer.find("Content-Type: application/problem+json\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("X-Request-Id: "), std::string::npos) << answer;
    const auto document = nlohmann::json::parse(answer.substr(std::min(answer.find("\r\n\r\n"), answer.size())), nullptr, false);
    ASSERT_TRUE(document.is_object()) << answer;
    EXPECT_EQ(document["status"], status);
    EXPECT_TRUE(document["title"].is_string() && document["detail"].is_string());
  }

  static constexpr std::size_t kLargeBytes = 8U << 20U;
  int files_max_ = 0;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Nginx> nginx_;
};

TEST_F(AdminApiFront, NamesTheClientAndCannotBeToldAnother) {
  start();
  const auto answer = testkit::httpRequest(port(), "GET", "/v1/who",
                                           {{"X-Real-IP", "6.6.6.6"}, {"X-Forwarded-For", "6.6.6.6"}, {"X-Proxy-Secret", "guessed"}});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "127.0.0.1");
  EXPECT_EQ(answer->headers.at("x-request-id").size(), 32U);
  EXPECT_TRUE(isWell(2));
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "X-" + std::to_string(i) + ": y\r\n";
  }
  return text;
}

TEST_F(AdminApiFront, RefusesMalformedHeads) {
  start();
  const struct {
    std::string text;
    int status;
  } cases[] = {
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\n", 200},
      {"GET\r\n", 400},
      {"GARBAGE\r\n", 400},
      {"GET /v1/who HTTP/2.0\r\nHost: a\r\n", 505},
      {"GET /v1/who HTTP/9.9\r\nHost: a\r\n", 505},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET  HTTP/1.1\r\nHost: a\r\n", 400},
      {"G(T /v1/who HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET http://h/v1/who HTTP/1.1\r\nHost: a\r\n", 200},  // absolute form: must be taken (RFC 9112 section 3.2.2)
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /%4 HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/%00 HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/who?a=%zz HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/who?a=% HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/who?a=%5b1%5D HTTP/1.1\r\nHost: a\r\n", 200},
      {"GET /v1/who?!$&'()*+,-./:;=?@_~ HTTP/1.1\r\nHost: a\r\n", 200},
      {"GET /v1/\x01 HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/\xC3\xA9 HTTP/1.1\r\nHost: a\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nno colon\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\n: empty\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nspace : x\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nA: b\r\n folded\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nA: b\nB: c\r\n", 200},   // a single LF ends a line too (RFC 9112 section 2.2)
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nA: \x7F\xC3\r\n", 200},  // no header that anybody reads
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n", 400},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n", 413},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n", 501},
      {"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
      {"TRACE /v1/who HTTP/1.1\r\nHost: a\r\n", 405},
      {"BREW /v1/who HTTP/1.1\r\nHost: a\r\n", 405},
      {"GET /elsewhere HTTP/1.1\r\nHost: a\r\n", 404},
      {"GET /problem HTTP/1.1\r\nHost: a\r\n", 404},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n", 414},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x') + "\r\n", 431},
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\n" + lines(200), 200},  // the bound is that of bytes, not of lines
      {"GET /v1/who HTTP/1.1\r\nHost: a\r\n" + lines(5000), 431},
  };
  for (const auto& one : cases) {
    Wire wire(port());
    const auto end = one.text.find("\r\n") + 2;
    wire.send(one.text.substr(0, end) + "Connection: close\r\n" + one.text.substr(end) + "\r\n");
    wire.endSending();
    const std::string answer = wire.readAll();
    EXPECT_EQ(statusOf(answer), one.status) << one.text.substr(0, 100);
    EXPECT_TRUE(wire.isClosed()) << one.text.substr(0, 100);
    if (statusOf(answer) >= 400) {
      expectProblem(answer, one.status);
    }
  }
  EXPECT_TRUE(isWell());
}

TEST_F(AdminApiFront, RefusesCharactersThatMustBeEncoded) {
  start();
  for (const char character : std::string_view("[]{}|^`\\<>\"")) {
    for (const std::string target : {"/v1/who?q=", "/v1/"}) {
      Wire wire(port());
      wire.send("GET " + target + character + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      expectProblem(wire.readAll(), 400);
    }
  }
}

TEST_F(AdminApiFront, EndsTheConnectionWhenTheClientWantsIt) {
  start();
  for (const char* head : {"GET /v1/who HTTP/1.0\r\n\r\n", "GET /v1/who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}) {
    Wire wire(port());
    wire.send(head);
    const std::string answer = wire.readAll();
    EXPECT_EQ(statusOf(answer), 200) << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(wire.isClosed());
  }
}

TEST_F(AdminApiFront, RefusesAHeadWithoutEnd) {
  start();
  Wire wire(port());
  wire.send("GET /v1/who HTTP/1.1\r\nX: " + std::string(40000, 'x'));
  expectProblem(wire.readAll(), 431);
  EXPECT_TRUE(wire.isClosed());
}

TEST_F(AdminApiFront, RefusesALongBodyBeforeItIsSent) {
  start();
  Wire wire(port());
  // Nothing of the body is ever sent: an answer proves that nobody waits for it.
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  expectProblem(wire.readUntil("}"), 413);
  EXPECT_EQ(testkit::httpRequest(port(), "POST", "/v1/echo", {}, std::string(40U << 20U, 'x'), seconds(20))->status, 413);
  const std::string whole(1U << 20U, 'y');
  EXPECT_EQ(testkit::httpRequest(port(), "POST", "/v1/echo", {}, whole, seconds(20))->body, whole);
}

TEST_F(AdminApiFront, GivesTheServerAChunkedBodyWithItsLength) {
  start();
  Wire wire(port());
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(wire.readAll().ends_with("abcde"));
}

TEST_F(AdminApiFront, AnswersRequestsSentBehindEachOtherInOrder) {
  start();
  Wire wire(port());
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirstGET /v1/who HTTP/1.1\r\nHost: x\r\n\r\n");
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nthird");
  const std::string all = wire.readAll();
  EXPECT_TRUE(wire.isClosed());
  const auto first = all.find("first");
  const auto second = all.find("127.0.0.1");
  ASSERT_NE(second, std::string::npos) << all;
  EXPECT_LT(first, second);
  EXPECT_LT(second, all.find("third"));
}

TEST_F(AdminApiFront, TakesARequestByteByByte) {
  start();
  Wire wire(port());
  for (const char c : std::string_view("\r\nPOST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) {
    wire.send(std::string_view(&c, 1));
  }
  EXPECT_EQ(statusOf(wire.readUntil("abc")), 200);
}

TEST_F(AdminApiFront, AnswersAClientThatEndedItsSide) {
  start();
  Wire wire(port());
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  wire.endSending();
  EXPECT_TRUE(wire.readAll().ends_with("abc"));
}

TEST_F(AdminApiFront, AsksForTheBodyWhenTheClientWaitsToBeAsked) {
  start();
  Wire wire(port());
  wire.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(statusOf(wire.readUntil("\r\n\r\n")), 100);
  wire.send("abc");
  EXPECT_NE(wire.readUntil("abc").find("200 OK"), std::string::npos);
}

TEST_F(AdminApiFront, PassesALargeAnswerToASlowReader) {
  start();
  Wire slow(port());
  slow.send("GET /v1/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(isWell()) << "others are served while one does not read";
  EXPECT_GT(slow.readAll().size(), kLargeBytes);
}

TEST_F(AdminApiFront, EndsConnectionsThatAreSlowOrIdle) {
  start({{"client_header_timeout 10s", "client_header_timeout 1s"},
         {"client_body_timeout 10s", "client_body_timeout 1s"},
         {"keepalive_timeout 60s", "keepalive_timeout 1s"}});
  Wire silent(port());
  Wire head(port());
  head.send("GET /v1/who HT");
  Wire body(port());
  body.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  Wire idle(port());
  idle.send("GET /v1/who HTTP/1.1\r\nHost: x\r\n\r\n");
  for (Wire* wire : {&silent, &head, &body}) {
    EXPECT_EQ(statusOf(wire->readAll()), 0);
    EXPECT_TRUE(wire->isClosed());
  }
  EXPECT_EQ(statusOf(idle.readAll()), 200);
  EXPECT_TRUE(idle.isClosed());
  EXPECT_TRUE(isWell());
}

TEST_F(AdminApiFront, AnswersWhileAThousandConnectionsOfOneClientAreIdleOrSlow) {
  start();
  const auto idle = hold(500, "");
  const auto slow = hold(500, "GET /v1/who HT");
  EXPECT_TRUE(isWell(1)) << "not even the client itself is shut out";
  EXPECT_TRUE(isWell(2));
}

// As many as the limit of open files allows where that is low.
TEST_F(AdminApiFront, ServesOthersWhileOneAddressBeginsThousandsOfRequests) {
  start();
  const auto slow = hold(std::min(8300, files_max_ - 500), "G");
  EXPECT_TRUE(isWell(2));
}

TEST_F(AdminApiFront, BoundsTheRequestsInProgressOfOneAddressAndServesOthers) {
  start();
  {
    const auto held = hold(64, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    std::string refused;
    ASSERT_TRUE(testkit::waitUntil([&] {  // the last of the 64 may not have been read yet
      Wire over(port());
      over.send("GET /v1/who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      refused = over.readAll();
      return statusOf(refused) != 200;
    }));
    expectProblem(refused, 429);
    EXPECT_NE(refused.find("Retry-After: 1"), std::string::npos);
    EXPECT_TRUE(isWell(2)) << "another address is served";
    // Each held request is still answered once the rest of it comes.
    held.back()->send("556677");
    EXPECT_TRUE(held.back()->readUntil("half556677").ends_with("half556677"));
  }
  EXPECT_TRUE(testkit::waitUntil([this] { return isWell(); }));
}

TEST_F(AdminApiFront, SurvivesWhatKillsTheLibrary) {
  start();
  for (int i = 0; i < 20; ++i) {
    for (const std::string& text :
         {std::string("POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nxx"),
          std::string("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nx"),
          std::string("POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nxx"),
          std::string("\x16\x03\x01\x02\x00\x01\x00", 7)}) {
      Wire wire(port());
      wire.send(text);
      wire.endSending();
      EXPECT_GE(statusOf(wire.readAll()), 400) << text;
    }
  }
  EXPECT_TRUE(isWell());
}

TEST_F(AdminApiFront, SaysThatTheApiIsAwayAndServesItAgain) {
  start();
  EXPECT_TRUE(isWell());
  const auto back = server_->port();
  server_->stop();
  Wire wire(port());
  wire.send("GET /v1/who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expectProblem(wire.readAll(), 502);
  Server again(settingsAt(back));
  again.route("GET", "/v1/who", [](const Request& request) { return Response{200, "text/plain", request.remote_address, {}}; });
  ASSERT_TRUE(testkit::waitUntil([&] { return again.start().has_value(); }));
  EXPECT_TRUE(isWell());
}

TEST_F(AdminApiFront, ServesManyClientsAtTheSameTime) {
  start();
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
