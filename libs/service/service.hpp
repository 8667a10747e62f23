// The common life of a Tollgate service: options, configuration, logs, operations endpoints (/healthz, /readyz, /metrics), signals, drain.
// A service's main declares a Definition and calls run(); it stays under 60 lines.
//
//   --config FILE      settings file (see --help for the settings; the environment wins)
//   --check-config     check the configuration, print what is wrong, exit 0 or 2
//   --help, --version
//
// SIGTERM / SIGINT: drain(), then wait until drained() or the setting drain_timeout is over, then stop(). A second signal skips the wait,
// a third, or one during start(), ends the process. Signals are blocked in every thread but one of run()'s own, which receives them.
// Exit codes: 0 stopped after draining; 1 could not start; 2 wrong options or configuration; 3 stopped with work left.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"
#include "libs/config/loader.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::service {

// What run() gives to every service. Lives as long as the service.
struct Runtime {
  std::string instance;  // unique id of this process: setting `instance`, default <service>-<pid>-<random>
  telemetry::Metrics& metrics;
};

struct Readiness {
  bool ready = false;
  std::string error;  // what is missing, in one line; empty when ready
};

// All members are called on the main thread, except ready(): that may be called by any thread between the end of start() and drain().
class Service {
 public:
  virtual ~Service() = default;
  // Starts threads and clients. Errors: any; it ends the process with exit code 1 and the message in the log.
  [[nodiscard]] virtual base::Result<void> start(Runtime& runtime) = 0;
  [[nodiscard]] virtual Readiness ready() const = 0;
  virtual void drain() {}
  [[nodiscard]] virtual bool drained() const { return true; }
  virtual void stop() = 0;
};

struct Definition {
  std::string_view name;  // admin_api
  std::string_view summary;
  // Declares and reads the service's settings and returns the service, never nullptr. It must not open, start or connect anything.
  std::function<std::unique_ptr<Service>(config::Loader&)> make;
};

// Runs the service until it is stopped; returns the exit code. Called once, by main().
// The settings of every service: instance, log_level, ops_address, ops_port (0 = none), drain_timeout.
[[nodiscard]] int run(int argc, char** argv, const Definition& definition);

}  // namespace tollgate::service
