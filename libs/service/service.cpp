#include "libs/service/service.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <utility>
#include <vector>

#include <unistd.h>

#include "libs/base/random.hpp"
#include "libs/service/operations.hpp"
#include "libs/service/options.hpp"
#include "libs/service/signals.hpp"
#include "libs/telemetry/log.hpp"

extern char** environ;

namespace tollgate::service {

namespace {

using std::chrono::milliseconds;

constexpr int kExitClean = 0;
constexpr int kExitNotStarted = 1;
constexpr int kExitWrongConfiguration = 2;
constexpr int kExitWorkLeft = 3;
constexpr milliseconds kDrainCheckInterval{20};
constexpr milliseconds kForEver{std::chrono::hours{24}};
constexpr std::size_t kInstanceRandomBytes = 4;

struct CommonSettings {
  std::string instance;
  telemetry::Level log_level = telemetry::Level::kInfo;
  OperationsSettings operations;
  milliseconds drain_timeout{0};
};

std::string defaultInstance(std::string_view service) {
  base::SystemRandom random;
  return std::string(service) + "-" + std::to_string(::getpid()) + "-" + base::randomHex(random, kInstanceRandomBytes);
}

// An instance id becomes a token of bus subjects.
bool isToken(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string_view::npos;
}

CommonSettings readCommon(config::Loader& loader) {
  CommonSettings common;
  common.instance = loader.text("instance", "", "unique id of this process; none = <service>-<pid>-<random>");
  if (common.instance.empty()) {
    common.instance = defaultInstance(loader.service());
  } else if (!isToken(common.instance)) {
    loader.refuse("instance", "must be 1 to 64 letters, digits, _ or -, not '" + common.instance + "'");
  }
  const std::string level = loader.text("log_level", "info", "debug, info, warn or error");
  if (const auto parsed = telemetry::parseLevel(level)) {
    common.log_level = *parsed;
  } else {
    loader.refuse("log_level", parsed.error().message);
  }
  common.operations.address = loader.text("ops_address", "127.0.0.1", "address of /healthz, /readyz and /metrics");
  common.operations.port = loader.port("ops_port", 0, "port of /healthz, /readyz and /metrics; 0 = none");
  common.drain_timeout = loader.duration("drain_timeout", std::chrono::seconds{30}, milliseconds{0}, std::chrono::hours{24},
                                         "longest wait for work in progress before stopping");
  return common;
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) {
      values.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return values;
}

void printError(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
}

// Drains until nothing is left, the time is over or a second signal comes.
int drain(Service& service, Signals& signals, milliseconds limit) {
  service.drain();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!service.drained()) {
    if (signals.wait(2, kDrainCheckInterval)) {
      telemetry::warn("stopping with work left after a second signal");
      return kExitWorkLeft;
    }
    if (std::chrono::steady_clock::now() >= end) {
      telemetry::warn("stopping with work left: drain_timeout is over");
      return kExitWorkLeft;
    }
  }
  return kExitClean;
}

int live(Service& service, Signals& signals, const CommonSettings& common, std::string_view name) {
  telemetry::Metrics metrics;
  Operations operations(common.operations, name, metrics);
  metrics
      .gauge("tollgate_" + std::string(name) + "_info", "Always 1; the labels tell version and instance.",
             {{"version", std::string(version())}, {"instance", common.instance}})
      .set(1);
  telemetry::info("starting", {{"version", version()}, {"pid", static_cast<std::int64_t>(::getpid())}});
  if (const auto listening = operations.start(); !listening) {
    telemetry::error("not started", {{"error", listening.error().message}});
    return kExitNotStarted;
  }
  Runtime runtime{common.instance, metrics};
  if (const auto started = service.start(runtime); !started) {
    telemetry::error("not started", {{"error", started.error().message}});
    operations.stop();
    return kExitNotStarted;
  }
  operations.serviceStarted(service);
  signals.startingIsOver();
  telemetry::info("started");
  while (!signals.wait(1, kForEver)) {
  }
  telemetry::info("draining");
  operations.serviceEnding("draining");
  const int exit_code = drain(service, signals, common.drain_timeout);
  operations.serviceEnding("stopping");
  service.stop();
  operations.stop();
  telemetry::info("stopped");
  return exit_code;
}

}  // namespace

int run(int argc, char** argv, const Definition& definition) {
  const auto options = parseOptions({argv + 1, argv + argc});
  if (!options) {
    printError(options.error().message);
    return kExitWrongConfiguration;
  }
  if (options->is_version) {
    std::printf("%s %s\n", programName(definition.name).c_str(), std::string(version()).c_str());
    return kExitClean;
  }
  config::Loader loader{std::string(definition.name), options->is_help ? std::map<std::string, std::string>{} : environment()};
  if (!options->is_help && !options->config_file.empty()) {
    loader.readFile(options->config_file);
  }
  const CommonSettings common = readCommon(loader);
  const std::unique_ptr<Service> service = definition.make(loader);
  if (options->is_help) {
    std::printf("%s", helpText(definition.name, definition.summary, loader.declared()).c_str());
    return kExitClean;
  }
  if (const auto wrong = loader.problems(); !wrong.empty()) {
    for (const std::string& line : wrong) {
      printError(programName(definition.name) + ": " + line);
    }
    return kExitWrongConfiguration;
  }
  if (options->is_check) {
    std::printf("configuration ok\n");
    return kExitClean;
  }
  Signals signals;
  telemetry::LogOptions log_options;
  log_options.instance = common.instance;
  telemetry::startLogging(definition.name, common.log_level, log_options);
  int exit_code = kExitNotStarted;
  try {
    exit_code = live(*service, signals, common, definition.name);
  } catch (const std::exception& error) {
    telemetry::error("ended by an exception", {{"error", error.what()}});
  }
  telemetry::stopLogging();
  return exit_code;
}

}  // namespace tollgate::service
