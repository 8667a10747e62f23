// The server over real loopback sockets on free ports.
#include "libs/http/server.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/telemetry/log.hpp"
#include "libs/testkit/http.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::http {
namespace {

using std::chrono::seconds;

Response text(std::string body) {
  return Response{200, "text/plain", std::move(body), {}};
}

using Reply = base::Result<testkit::HttpReply>;

Reply call(std::uint16_t port, std::string_view method, std::string_view target, std::string_view body = {}) {
  return testkit::httpRequest(port, method, target, {}, body, seconds(20));
}

Reply get(std::uint16_t port, std::string_view target) {
  return call(port, "GET", target);
}

// Handlers wait at it until the test opens it.
class Barrier {
 public:
  void open() { promise_.set_value(); }
  void pass() {
    ++waiting_;
    future_.wait();
  }
  [[nodiscard]] bool waitForWaiting(int count) const {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (waiting_ < count && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    return waiting_ >= count;
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
  std::atomic<int> waiting_{0};
};

class ServerTest : public testing::Test {
 protected:
  void start(const ServerSettings& settings = {}) {
    server_ = std::make_unique<Server>(settings);
    server_->route("GET", "/things/{name}", [](const Request& request) {
      return text(request.parameters.at("name") + "|" + (request.query.contains("q") ? request.query.at("q") : ""));
    });
    server_->route("POST", "/things", [](const Request& request) { return text(request.body); });
    server_->route("GET", "/throws", [](const Request&) -> Response { throw std::runtime_error("secret detail"); });
    server_->route("GET", "/slow", [this](const Request&) {
      barrier_.pass();
      return text("slow");
    });
    server_->observe([this](const Observation& seen) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(std::string(seen.method) + " " + std::string(seen.pattern) + " " + std::to_string(seen.status));
    });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }

  void expectProblem(const Reply& answer, int status) {
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, status);
    EXPECT_EQ(answer->headers.at("content-type"), "application/problem+json");
    const auto document = nlohmann::json::parse(answer->body, nullptr, false);
    ASSERT_TRUE(document.is_object()) << answer->body;
    EXPECT_EQ(document["status"], status);
    for (const char* member : {"type", "title", "detail"}) {
      EXPECT_TRUE(document[member].is_string()) << member;
    }
  }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  Barrier barrier_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, GivesDecodedParametersAndQuery) {
  start();
  const auto answer = get(port(), "/things/a%2Fb%20c?q=x+y%26z");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "a/b c|x y&z");
}

TEST_F(ServerTest, EchoesBodyOfAnyBytesUpToTheLimit) {
  ServerSettings settings;
  settings.body_bytes_max = 300000;
  start(settings);
  std::string body(settings.body_bytes_max, 'x');
  body[7] = '\0';
  body[8] = '\xFF';
  const auto answer = call(port(), "POST", "/things", body);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, body);
}

TEST_F(ServerTest, RefusesABodyOverTheLimit) {
  ServerSettings settings;
  settings.body_bytes_max = 1000;
  start(settings);
  expectProblem(call(port(), "POST", "/things", std::string(1001, 'x')), 413);
  EXPECT_EQ(call(port(), "POST", "/things", std::string(1000, 'x'))->status, 200);
}

TEST_F(ServerTest, RefusesBrokenEscapes) {
  start();
  for (const char* target : {"/things/%00", "/things/x?q=%4", "/things/x?q=%zz"}) {
    EXPECT_EQ(get(port(), target)->status, 400) << target;
  }
}

TEST_F(ServerTest, NamesTheClientByTheHeaderOfTheProxy) {
  for (const std::string secret : {"", "secret-of-nginx"}) {
    ServerSettings settings;
    settings.proxy_secret = secret;
    Server server(settings);
    server.route("GET", "/who", [](const Request& request) {
      return text(request.remote_address + (request.headers.contains("x-proxy-secret") ? " with secret" : ""));
    });
    ASSERT_TRUE(server.start());
    const auto who = [&](const std::map<std::string, std::string>& headers) {
      return testkit::httpRequest(server.port(), "GET", "/who", headers)->body;
    };
    EXPECT_EQ(who({}), "127.0.0.1");
    EXPECT_EQ(who({{"X-Real-IP", "192.0.2.7"}}), "127.0.0.1");
    for (const char* wrong : {"secret-of-ngin", "secret-of-nginy", "secret-of-nginx2", ""}) {
      EXPECT_EQ(who({{"X-Real-IP", "192.0.2.7"}, {"X-Proxy-Secret", wrong}}), "127.0.0.1") << wrong;
    }
    EXPECT_EQ(who({{"X-Real-IP", "192.0.2.7"}, {"X-Proxy-Secret", "secret-of-nginx"}}), secret.empty() ? "127.0.0.1" : "192.0.2.7");
  }
}

TEST_F(ServerTest, ListensOnLoopbackAlone) {
  start();
  const int handle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(port());
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);  // 127.0.0.2: reached by what listens on every address
  EXPECT_NE(::connect(handle, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ::close(handle);
}

TEST_F(ServerTest, Answers404ForUnknownPathAnd405WithAllow) {
  start();
  expectProblem(get(port(), "/nowhere"), 404);
  const auto wrong_method = call(port(), "DELETE", "/things/x");
  expectProblem(wrong_method, 405);
  EXPECT_EQ(wrong_method->headers.at("allow"), "GET, HEAD, OPTIONS");
  expectProblem(call(port(), "BREW", "/things"), 405);
  expectProblem(call(port(), "TRACE", "/things"), 405);
}

TEST_F(ServerTest, AnswersOptionsAndHead) {
  start();
  const auto options = call(port(), "OPTIONS", "/things");
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->status, 204);
  EXPECT_EQ(options->headers.at("allow"), "OPTIONS, POST");
  const auto head = call(port(), "HEAD", "/things/x");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
}

TEST_F(ServerTest, TurnsAnExceptionInto500WithoutItsText) {
  std::mutex mutex;
  std::string logged;
  telemetry::LogOptions log;
  log.sink = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    logged += line;
  };
  telemetry::startLogging("test", telemetry::Level::kError, std::move(log));
  start();
  const auto answer = testkit::httpRequest(port(), "GET", "/throws", {{"X-Request-Id", "request-17"}});
  telemetry::stopLogging();
  expectProblem(answer, 500);
  EXPECT_EQ(answer->body.find("secret"), std::string::npos);
  EXPECT_NE(logged.find(R"("request_id":"request-17")"), std::string::npos) << logged;
  EXPECT_NE(logged.find(R"("error":"secret detail")"), std::string::npos) << logged;
}

TEST_F(ServerTest, SlowHandlerDoesNotHoldUpOthers) {
  ServerSettings settings;
  settings.threads = 2;
  start(settings);
  auto slow = std::async(std::launch::async, [this] { return get(port(), "/slow"); });
  ASSERT_TRUE(barrier_.waitForWaiting(1));
  EXPECT_EQ(get(port(), "/things/x")->status, 200);
  barrier_.open();
  EXPECT_EQ(slow.get()->body, "slow");
}

TEST_F(ServerTest, Answers503WhenTheQueueIsFull) {
  ServerSettings settings;
  settings.threads = 1;
  settings.queue_max = 2;
  start(settings);
  std::vector<std::future<Reply>> calls;
  calls.push_back(std::async(std::launch::async, [this] { return get(port(), "/slow"); }));
  ASSERT_TRUE(barrier_.waitForWaiting(1));
  constexpr int kMore = 6;
  for (int i = 0; i < kMore; ++i) {
    calls.push_back(std::async(std::launch::async, [this] { return get(port(), "/things/x"); }));
  }
  // Two wait in the queue; the others are answered while the worker is still held.
  const auto refused = [this] {
    const std::lock_guard lock(mutex_);
    return std::count(seen_.begin(), seen_.end(), "GET /things/{name} 503");
  };
  const auto end = std::chrono::steady_clock::now() + seconds(10);
  while (refused() < kMore - 2 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(refused(), kMore - 2);
  barrier_.open();
  int ok = 0;
  for (auto& one : calls) {
    const auto answer = one.get();
    ASSERT_TRUE(answer) << answer.error().message;
    ok += answer->status == 200 ? 1 : 0;
    if (answer->status == 503) {
      EXPECT_EQ(answer->headers.at("retry-after"), "1");
    }
  }
  EXPECT_EQ(ok, 3);
}

TEST_F(ServerTest, StopFinishesWhatRuns) {
  start();
  auto slow = std::async(std::launch::async, [this] { return get(port(), "/slow"); });
  ASSERT_TRUE(barrier_.waitForWaiting(1));
  auto stopping = std::async(std::launch::async, [this] { server_->stop(); });
  barrier_.open();
  const auto answer = slow.get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "slow");
  stopping.get();
}

TEST_F(ServerTest, FilterEndsTheRequestBeforeTheHandler) {
  Server server({});
  bool was_handled = false;
  server.before([](Request& request) -> std::optional<Response> {
    if (request.headers.contains("authorization")) {
      request.headers["x-user"] = "me";
      return std::nullopt;
    }
    return problem(401, "Unauthorized", "log in");
  });
  server.route("GET", "/", [&](const Request& request) {
    was_handled = true;
    return text(request.headers.at("x-user"));
  });
  ASSERT_TRUE(server.start());
  expectProblem(get(server.port(), "/"), 401);
  EXPECT_FALSE(was_handled);
  EXPECT_EQ(testkit::httpRequest(server.port(), "GET", "/", {{"Authorization", "Bearer t"}})->body, "me");
}

TEST_F(ServerTest, SaysThatThePortIsTaken) {
  start();
  ServerSettings settings;
  settings.port = port();
  Server second(settings);
  second.route("GET", "/", [](const Request&) { return text(""); });
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, base::ErrorCode::kUnavailable);
  EXPECT_NE(started.error().message.find(std::to_string(port())), std::string::npos) << started.error().message;
}

TEST_F(ServerTest, ListsItsRoutes) {
  start();
  EXPECT_EQ(server_->routes().front(), "GET /things/{name}");
  EXPECT_EQ(server_->routes().size(), 4U);
}

TEST(Problem, CarriesFieldAndRule) {
  const auto document = nlohmann::json::parse(problem(422, "Bad", "no", "sources[1].host", "cidr_overlap").body);
  EXPECT_EQ(document["field"], "sources[1].host");
  EXPECT_EQ(document["rule"], "cidr_overlap");
  EXPECT_EQ(document["type"], "urn:tollgate:rule:cidr_overlap");
  EXPECT_TRUE(nlohmann::json::parse(problem(400, "Bad", "broken \xFF text").body).contains("detail"));
}

}  // namespace
}  // namespace tollgate::http
