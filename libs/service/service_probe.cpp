// A service for service_test: its settings decide how it starts, whether it is ready, and when it is drained.
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "libs/service/service.hpp"

namespace {

using namespace tollgate;

struct Settings {
  std::string start;         // ok, fail, hang
  std::string missing;       // not ready while this is not empty
  std::string drained_when;  // file that must exist; empty = drained immediately
};

class Probe final : public service::Service {
 public:
  explicit Probe(Settings settings) : settings_(std::move(settings)) {}

  base::Result<void> start(service::Runtime& runtime) override {
    runtime.metrics.counter("tollgate_probe_starts_total", "Starts.").add();
    if (settings_.start == "fail") {
      return base::fail(base::ErrorCode::kUnavailable, "the probe was told to fail");
    }
    if (settings_.start == "hang") {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable().wait(lock, [] { return false; });
    }
    return {};
  }
  [[nodiscard]] service::Readiness ready() const override { return {settings_.missing.empty(), settings_.missing}; }
  [[nodiscard]] bool drained() const override { return settings_.drained_when.empty() || std::filesystem::exists(settings_.drained_when); }
  void stop() override {}

 private:
  Settings settings_;
};

}  // namespace

int main(int argc, char** argv) {
  return service::run(argc, argv, {"probe", "a service for tests", [](config::Loader& loader) -> std::unique_ptr<service::Service> {
                                     Settings settings;
                                     settings.start = loader.text("start", "ok", "ok, fail or hang");
                                     settings.missing = loader.text("missing", "", "why not ready");
                                     settings.drained_when = loader.text("drained_when", "", "file that must exist");
                                     return std::make_unique<Probe>(settings);
                                   }});
}
