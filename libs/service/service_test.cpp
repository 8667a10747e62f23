// A real process from start to exit. REQUIREMENTS 12.1: health and readiness, metrics, JSON logs, graceful stop, a wrong configuration
// stops start-up with the reason.
#include "libs/service/service.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/testkit/http.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::service {
namespace {

using std::chrono::seconds;

bool eventually(const std::function<bool()>& condition) {
  return testkit::waitUntil(condition, seconds(20));
}

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tollgate_service_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ServiceTest() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  void start(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    std::filesystem::remove(folder_ / "err");  // of the process before
    std::filesystem::remove(folder_ / "out");
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) {
      return;
    }
    const auto redirect = [this](const char* name, int to) {
      std::FILE* file = std::fopen((folder_ / name).c_str(), "w");
      ::dup2(::fileno(file), to);
    };
    redirect("out", STDOUT_FILENO);
    redirect("err", STDERR_FILENO);
    ::setenv("TOLLGATE_PROBE_OPS_PORT", std::to_string(port_).c_str(), 1);
    for (const std::string& entry : environment) {
      const auto equals = entry.find('=');
      ::setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
    }
    arguments.insert(arguments.begin(), "tollgate-probe");
    std::vector<char*> words;
    for (std::string& argument : arguments) {
      words.push_back(argument.data());
    }
    words.push_back(nullptr);
    ::execv(PROBE_PATH, words.data());
    ::_exit(99);
  }

  // The exit code; 128 + signal when one ended it.
  int waitForExit() {
    int status = 0;
    const bool is_over = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!is_over) {
      return -1;
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string text(const char* name) const {
    std::stringstream content;
    content << std::ifstream(folder_ / name).rdbuf();
    return content.str();
  }

  bool isLogged(std::string_view message) const {
    return text("err").find("\"msg\":\"" + std::string(message) + "\"") != std::string::npos;
  }

  void startAndWait(const std::vector<std::string>& environment = {}) {
    start({}, environment);
    ASSERT_TRUE(eventually([this] { return isLogged("started"); })) << text("err");
  }

  int status(std::string_view target) const {
    const auto answer = testkit::httpGet(port_, target);
    return answer ? answer->status : 0;
  }

  std::filesystem::path folder_;
  testkit::PortLease lease_;
  const std::uint16_t port_ = lease_.port();
  pid_t pid_ = 0;
};

TEST_F(ServiceTest, ChecksAGoodConfigurationAndExitsZero) {
  std::ofstream(folder_ / "good.conf") << "missing = bus\nlog_level = debug\n";
  start({"--check-config", "--config", folder_ / "good.conf"});
  EXPECT_EQ(waitForExit(), 0) << text("err");
  EXPECT_EQ(text("out"), "configuration ok\n");
}

TEST_F(ServiceTest, SaysEverythingWrongWithAConfigurationAndExitsTwo) {
  std::ofstream(folder_ / "bad.conf") << "mising = bus\nlog_level = loud\n";
  for (const bool is_check : {true, false}) {
    std::vector<std::string> arguments = {"--config=" + (folder_ / "bad.conf").string()};
    if (is_check) {
      arguments.emplace_back("--check-config");
    }
    start(arguments, {"TOLLGATE_DRAIN_TIMEOUT=soon", "TOLLGATE_INSTANCE=not a token"});
    EXPECT_EQ(waitForExit(), 2);
    const std::string errors = text("err");
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 4) << errors;
    for (const char* part : {"bad.conf:1: there is no setting 'mising'", "log_level", "drain_timeout", "not a token"}) {
      EXPECT_NE(errors.find(part), std::string::npos) << part << "\nnot in\n" << errors;
    }
  }
}

TEST_F(ServiceTest, HelpListsEverySettingWithDefaultAndMeaning) {
  start({"--help"}, {"TOLLGATE_DRAIN_TIMEOUT=soon"});
  EXPECT_EQ(waitForExit(), 0);
  const std::string help = text("out");
  for (const char* part : {"tollgate-probe - a service for tests", "TOLLGATE_PROBE_<NAME>", "--check-config", "drain_timeout", "[30s]",
                           "missing", "why not ready [none]", "ops_port"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part << "\nnot in\n" << help;
  }
}

TEST_F(ServiceTest, TellsItsVersionAndRefusesUnknownOptions) {
  start({"--version"});
  EXPECT_EQ(waitForExit(), 0);
  EXPECT_EQ(text("out").rfind("tollgate-probe ", 0), 0U);
  start({"--verbose"});
  EXPECT_EQ(waitForExit(), 2);
  EXPECT_NE(text("err").find("--verbose"), std::string::npos);
}

TEST_F(ServiceTest, ServesHealthReadinessAndMetrics) {
  startAndWait({"TOLLGATE_INSTANCE=probe-a"});
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/readyz"), 200);
  EXPECT_EQ(status("/other"), 404);
  const auto metrics = testkit::httpGet(port_, "/metrics");
  ASSERT_TRUE(metrics) << metrics.error().message;
  EXPECT_EQ(metrics->headers.at("content-type").rfind("text/plain", 0), 0U);
  for (const char* line : {"tollgate_probe_starts_total 1\n", "tollgate_probe_ready 1\n", "process_resident_memory_bytes ",
                           "tollgate_probe_info{instance=\"probe-a\",version=\""}) {
    EXPECT_NE(metrics->body.find(line), std::string::npos) << line << "\nnot in\n" << metrics->body;
  }
}

TEST_F(ServiceTest, IsAliveButNotReadyAndSaysWhy) {
  startAndWait({"TOLLGATE_MISSING=no connection to the bus"});
  EXPECT_EQ(status("/healthz"), 200);
  const auto answer = testkit::httpGet(port_, "/readyz");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 503);
  const auto document = nlohmann::json::parse(answer->body);
  EXPECT_EQ(document["ready"], false);
  EXPECT_EQ(document["error"], "no connection to the bus");
}

TEST_F(ServiceTest, StopsWithZeroOnSigtermAndSigint) {
  for (const int signal : {SIGTERM, SIGINT}) {
    startAndWait();
    ::kill(pid_, signal);
    EXPECT_EQ(waitForExit(), 0) << text("err");
    EXPECT_TRUE(isLogged("stopped"));
  }
}

TEST_F(ServiceTest, DrainsUntilTheWorkIsDoneAndIsNotReadyMeanwhile) {
  const std::string done = folder_ / "done";
  startAndWait({"TOLLGATE_DRAINED_WHEN=" + done});
  ::kill(pid_, SIGTERM);
  ASSERT_TRUE(eventually([this] { return status("/readyz") == 503; }));
  EXPECT_EQ(nlohmann::json::parse(testkit::httpGet(port_, "/readyz")->body)["error"], "draining");
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_FALSE(isLogged("stopped"));
  std::ofstream(done) << "1";
  EXPECT_EQ(waitForExit(), 0) << text("err");
}

TEST_F(ServiceTest, StopsWithWorkLeftWhenTheDrainTimeIsOver) {
  startAndWait({"TOLLGATE_DRAINED_WHEN=/nonexistent", "TOLLGATE_DRAIN_TIMEOUT=50ms"});
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(waitForExit(), 3) << text("err");
  EXPECT_TRUE(isLogged("stopping with work left: drain_timeout is over"));
}

TEST_F(ServiceTest, SecondSignalStopsWithoutDraining) {
  startAndWait({"TOLLGATE_DRAINED_WHEN=/nonexistent", "TOLLGATE_DRAIN_TIMEOUT=1h"});
  ::kill(pid_, SIGTERM);
  ASSERT_TRUE(eventually([this] { return isLogged("draining"); }));
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(waitForExit(), 3) << text("err");
}

TEST_F(ServiceTest, SignalDuringStartEndsTheProcess) {
  start({}, {"TOLLGATE_START=hang"});
  ASSERT_TRUE(eventually([this] { return status("/healthz") == 200; })) << "alive while starting";
  EXPECT_EQ(nlohmann::json::parse(testkit::httpGet(port_, "/readyz")->body)["error"], "starting");
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(waitForExit(), 128 + SIGTERM);
}

TEST_F(ServiceTest, ExitsOneWithTheReasonWhenItCannotStart) {
  start({}, {"TOLLGATE_START=fail"});
  EXPECT_EQ(waitForExit(), 1);
  EXPECT_NE(text("err").find("the probe was told to fail"), std::string::npos);
}

TEST_F(ServiceTest, ExitsOneWhenTheOperationsPortIsTaken) {
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(port_);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(other, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(other, 1), 0);
  start({});
  EXPECT_EQ(waitForExit(), 1);
  EXPECT_NE(text("err").find("cannot listen for HTTP on 127.0.0.1:" + std::to_string(port_)), std::string::npos) << text("err");
  ::close(other);
}

TEST_F(ServiceTest, IgnoresSigpipeAndSighup) {
  startAndWait();
  ::kill(pid_, SIGPIPE);
  ::kill(pid_, SIGHUP);
  EXPECT_EQ(status("/healthz"), 200);
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(waitForExit(), 0);
}

TEST_F(ServiceTest, EveryLogLineIsJson) {
  startAndWait({"TOLLGATE_INSTANCE=probe-b"});
  ::kill(pid_, SIGTERM);
  ASSERT_EQ(waitForExit(), 0);
  std::istringstream lines(text("err"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto document = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(document.is_object()) << line;
    EXPECT_EQ(document["service"], "probe");
    EXPECT_EQ(document["instance"], "probe-b");
  }
  EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace tollgate::service
