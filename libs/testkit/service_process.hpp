// A real service program under test. It gets its settings by the environment and is ready when /readyz answers 200.
// Thread: one per object.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/testkit/child.hpp"
#include "libs/testkit/http.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/temp_dir.hpp"

namespace tollgate::testkit {

class ServiceProcess {
 public:
  struct Options {
    std::string path;  // the binary
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;  // TOLLGATE_OPS_ADDRESS and TOLLGATE_OPS_PORT are added
    bool wait_ready = true;
    std::chrono::milliseconds ready_limit{30'000};
  };

  // Errors: std::runtime_error with the end of the log when it does not become ready.
  explicit ServiceProcess(Options options);
  ~ServiceProcess() = default;  // SIGKILL when it still runs

  [[nodiscard]] std::uint16_t opsPort() const { return ops_port_.port(); }
  [[nodiscard]] pid_t pid() const { return child_ ? child_->pid() : 0; }
  [[nodiscard]] bool isRunning() { return child_ && child_->isRunning(); }
  [[nodiscard]] bool isReady();
  [[nodiscard]] base::Result<HttpReply> get(const std::string& path) { return httpGet(opsPort(), path); }
  // The value of one line of /metrics, e.g. `tollgate_auth_requests_total{result="ok"}`; nothing when there is no such line.
  [[nodiscard]] std::optional<double> metric(const std::string& series);
  [[nodiscard]] std::string log() const;  // all of it, over restarts

  void signal(int number) { child_->signal(number); }
  [[nodiscard]] std::optional<int> waitExit(std::chrono::milliseconds limit) { return child_->waitExit(limit); }
  int stop(std::chrono::milliseconds limit = std::chrono::seconds(20));  // SIGTERM; exit code, 137 when it had to be killed
  void kill();                                                           // SIGKILL
  void start();                                                          // again, with the same environment and ops port
  void set(const std::string& name, const std::string& value) { options_.environment[name] = value; }  // for the next start()

 private:
  // Passed in.
  Options options_;
  // Owned.
  PortLease ops_port_;
  TempDir folder_;
  std::unique_ptr<Child> child_;
};

}  // namespace tollgate::testkit
