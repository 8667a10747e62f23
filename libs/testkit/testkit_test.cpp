#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/testkit/child.hpp"
#include "libs/testkit/fake_clock.hpp"
#include "libs/testkit/http.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/service_process.hpp"
#include "libs/testkit/temp_dir.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::testkit {
namespace {

using namespace std::chrono_literals;

bool exists(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

// Sends one request line to a server and returns the beginning of its answer.
std::string exchange(std::uint16_t port, const std::string& line, std::chrono::milliseconds limit = 5s) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval wait{limit.count() / 1000, (limit.count() % 1000) * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    if (!line.empty()) {
      EXPECT_EQ(::send(fd, line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
    }
    char buffer[1024];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    answer.assign(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  ::close(fd);
  return answer;
}

TEST(Child, TellsExitCodeAndOutput) {
  const TempDir folder;
  Child::Options options;
  options.command = {"sh", "-c", "echo $GREETING; cat; exit 7"};
  options.environment = {{"GREETING", "hello"}};
  options.input_file = folder.file("in");
  options.output_file = folder.file("out");
  writeFile(options.input_file, "world\n");
  EXPECT_EQ(runToEnd(options, 10s).value(), 7);
  EXPECT_EQ(readFile(options.output_file), "hello\nworld\n");
}

TEST(Child, FailsWhenTheProgramDoesNotExist) {
  Child::Options options;
  options.command = {"/no/such/program"};
  const auto child = Child::start(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, base::ErrorCode::kNotFound);
}

TEST(Child, FindsServersThatOnlySbinHas) {
  const char* path = std::getenv("PATH");
  const std::string kept = path == nullptr ? "" : path;
  ::setenv("PATH", "/usr/bin", 1);
  const auto code =
      runToEnd({.command = {"ldconfig", "--version"}, .environment = {}, .output_file = {}, .input_file = {}, .working_directory = {}},
               std::chrono::seconds(20));
  ::setenv("PATH", kept.c_str(), 1);
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 0);
}

TEST(Child, EndsWithItsObject) {
  Child::Options options;
  options.command = {"sleep", "1000"};
  auto child = Child::start(options);
  ASSERT_TRUE(child);
  const pid_t pid = (*child)->pid();
  EXPECT_TRUE((*child)->isRunning());
  child->reset();
  EXPECT_FALSE(exists(pid));
}

TEST(Child, OutlivesTheThreadThatStartedIt) {
  Child::Options options;
  options.command = {"sleep", "1000"};
  std::unique_ptr<Child> child;
  std::thread([&] { child = std::move(Child::start(options).value()); }).join();
  EXPECT_FALSE(child->waitExit(100ms));
  EXPECT_EQ(child->terminate(10s), 128 + SIGTERM);
}

TEST(Child, DiesWithItsTest) {
  const TempDir folder;
  writeFile(folder.file("pid"), "");
  Child::Options options;
  options.command = {TOLLGATE_ORPHAN_PROGRAM, folder.file("pid")};
  auto test = Child::start(options);
  ASSERT_TRUE(test) << test.error().message;
  ASSERT_TRUE(waitUntil([&] { return !readFile(folder.file("pid")).empty(); }));
  const pid_t grandchild = std::stoi(readFile(folder.file("pid")));
  EXPECT_TRUE(exists(grandchild));
  (*test)->signal(SIGKILL);
  EXPECT_TRUE((*test)->waitExit(10s));
  EXPECT_TRUE(waitUntil([&] {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string pid, name, state;
    return !(stat >> pid >> name >> state) || state == "Z";  // dead; its new parent reaps it
  }));
}

TEST(PortLease, GivesEachPortOnceAtATime) {
  std::vector<PortLease> leases(200);
  std::set<std::uint16_t> ports;
  for (const auto& lease : leases) {
    ports.insert(lease.port());
  }
  EXPECT_EQ(ports.size(), leases.size());
}

TEST(TempDir, IsRemovedWithItsContent) {
  std::filesystem::path path;
  {
    const TempDir folder;
    path = folder.path();
    writeFile(folder.file("a"), "b");
    EXPECT_EQ(readFile(folder.file("a")), "b");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FakeClock, MovesOnlyWhenTheTestMovesIt) {
  FakeClock clock;
  EXPECT_EQ(base::formatRfc3339(clock.wall()), "2026-11-21T10:00:00.000000Z");
  const auto before = clock.monotonic();
  clock.advance(1500ms);
  EXPECT_EQ(clock.monotonic() - before, 1500ms);
  clock.stepWall(-1s);
  EXPECT_EQ(clock.monotonic() - before, 1500ms);
  EXPECT_EQ(base::formatRfc3339(clock.wall()), "2026-11-21T10:00:00.500000Z");
}

// Answers one connection with `bytes` in two parts and closes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string bytes) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    thread_ = std::thread([this, bytes = std::move(bytes)] {
      const int peer = ::accept(fd_, nullptr, nullptr);
      char buffer[4096];
      const auto got = ::recv(peer, buffer, sizeof buffer, 0);
      request_.assign(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
      const auto half = bytes.size() / 2;
      EXPECT_GE(::send(peer, bytes.data(), half, MSG_NOSIGNAL), 0);
      EXPECT_GE(::send(peer, bytes.data() + half, bytes.size() - half, MSG_NOSIGNAL), 0);
      ::close(peer);
    });
  }
  ~OneAnswer() {
    join();
    ::close(fd_);
  }
  std::uint16_t port() const { return port_.port(); }
  const std::string& request() {
    join();
    return request_;
  }

 private:
  void join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  PortLease port_;
  int fd_;
  std::string request_;
  std::thread thread_;
};

TEST(Http, ReadsBodyByLengthChunksAndClose) {
  OneAnswer length("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
  auto reply = httpGet(length.port(), "/x");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "hello");
  EXPECT_EQ(reply->headers["x-a"], "b");
  EXPECT_TRUE(length.request().starts_with("GET /x HTTP/1.1\r\n"));
  OneAnswer chunked("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n");
  reply = httpGet(chunked.port(), "/");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->body, "abc0123456789");
  OneAnswer closed("HTTP/1.0 200 OK\r\n\r\nall of it");
  EXPECT_EQ(httpGet(closed.port(), "/").value().body, "all of it");
}

TEST(Http, SaysWhyWhenThereIsNoAnswer) {
  const PortLease nobody;
  EXPECT_EQ(httpGet(nobody.port(), "/").error().code, base::ErrorCode::kUnavailable);
  OneAnswer garbage("what?");
  EXPECT_EQ(httpGet(garbage.port(), "/").error().code, base::ErrorCode::kInvalid);
}

TEST(NatsServer, RestartsOnTheSamePort) {
  NatsServer server;
  EXPECT_TRUE(exchange(server.port(), "").starts_with("INFO ")) << server.log();
  const auto port = server.port();
  server.kill();
  EXPECT_EQ(exchange(port, ""), "");
  server.start();
  EXPECT_EQ(server.port(), port);
  EXPECT_TRUE(exchange(port, "").starts_with("INFO "));
}

TEST(RedisServer, AnswersAndHangsWhilePaused) {
  RedisServer server;
  EXPECT_EQ(exchange(server.port(), "PING\r\n"), "+PONG\r\n");
  server.pause();
  EXPECT_EQ(exchange(server.port(), "PING\r\n", 200ms), "");
  server.resume();
  EXPECT_EQ(exchange(server.port(), "PING\r\n"), "+PONG\r\n");
  server.restart();
  EXPECT_EQ(exchange(server.port(), "PING\r\n"), "+PONG\r\n");
}

TEST(MariaDb, HasTheMigratedDatabaseAndKeepsRowsOverAKill) {
  MariaDb server;
  EXPECT_EQ(server.runSql("SELECT version FROM config_state"), "0\n");
  EXPECT_NE(server.runSql("SELECT name FROM schema_migrations ORDER BY version").find("0001_configuration.sql\n"), std::string::npos);
  server.runSql("UPDATE config_state SET version = 7");
  server.kill();
  server.start();
  EXPECT_EQ(server.runSql("SELECT version FROM config_state"), "7\n");
  EXPECT_THROW(server.runSql("SELECT nonsense FROM nowhere"), std::runtime_error);
}

TEST(MariaDb, TwoStartedAtTheSameTimeAreSeparate) {
  auto other = std::async(std::launch::async, [] { return std::make_unique<MariaDb>(); });
  MariaDb one;
  const auto two = other.get();
  one.runSql("UPDATE config_state SET version = 1");
  EXPECT_EQ(two->runSql("SELECT version FROM config_state"), "0\n");
  EXPECT_NE(one.port(), two->port());
}

TEST(ServiceProcess, ThrowsWithTheLogWhenItEnds) {
  ServiceProcess::Options options;
  options.path = "/bin/sh";
  options.arguments = {"-c", "echo port $TOLLGATE_OPS_PORT is bad; exit 3"};
  try {
    const ServiceProcess process(options);
    FAIL() << "should have thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("is bad"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tollgate::testkit
