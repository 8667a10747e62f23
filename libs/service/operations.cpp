#include "libs/service/operations.hpp"

#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

#include "libs/telemetry/log.hpp"

namespace tollgate::service {

Operations::Operations(OperationsSettings settings, std::string_view service_name, telemetry::Metrics& metrics)
    : settings_(std::move(settings)),
      metrics_(metrics),
      process_stats_(metrics),
      ready_(metrics.gauge("tollgate_" + std::string(service_name) + "_ready", "1 while the service takes work.")),
      dropped_lines_(metrics.counter("tollgate_" + std::string(service_name) + "_log_lines_dropped_total",
                                     "Log lines lost because the writer could not keep up.")),
      dropped_connections_(metrics.counter("tollgate_" + std::string(service_name) + "_ops_connections_dropped_total",
                                           "Connections to the operations port closed to make room for newer ones.")) {}

base::Result<void> Operations::start() {
  if (settings_.port == 0) {
    return {};
  }
  server_ = std::make_unique<OpsServer>(settings_.address, settings_.port, [this] { dropped_connections_.add(); });
  server_->route("/healthz", [] { return OpsResponse{200, "application/json", R"({"alive":true})"}; });
  server_->route("/readyz", [this] { return readiness(); });
  server_->route("/metrics", [this] { return render(); });
  return server_->start();
}

void Operations::serviceStarted(const Service& service) {
  const Readiness first = service.ready();
  const std::unique_lock lock(service_mutex_);
  service_ = &service;
  last_ = first;
}

void Operations::serviceEnding(std::string error) {
  const std::unique_lock lock(service_mutex_);
  service_ = nullptr;
  last_ = {false, std::move(error)};
}

void Operations::stop() {
  if (server_) {
    server_->stop();
  }
}

// The service may wait for a store before it answers. Only one thread asks at a time and the others take the answer before, so that
// waiting requests cannot occupy every thread of the server.
Readiness Operations::currentReadiness() {
  const std::shared_lock lock(service_mutex_);
  const std::unique_lock asking(asking_mutex_, std::try_to_lock);
  if (service_ != nullptr && asking.owns_lock()) {
    const Readiness fresh = service_->ready();
    const std::lock_guard last_lock(last_mutex_);
    last_ = fresh;
  }
  const std::lock_guard last_lock(last_mutex_);
  return last_;
}

OpsResponse Operations::readiness() {
  const Readiness state = currentReadiness();
  const nlohmann::ordered_json document = {{"ready", state.ready}, {"error", state.ready ? "" : state.error}};
  return {state.ready ? 200 : 503, "application/json", document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)};
}

OpsResponse Operations::render() {
  {
    const std::lock_guard lock(update_mutex_);  // two scrapes at a time would add the same difference twice
    process_stats_.update();
    dropped_lines_.add(static_cast<double>(telemetry::droppedLines()) - dropped_lines_.value());
  }
  ready_.set(currentReadiness().ready ? 1 : 0);
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_.render()};
}

}  // namespace tollgate::service
