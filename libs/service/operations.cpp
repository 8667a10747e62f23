#include "libs/service/operations.hpp"

#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

#include "libs/telemetry/log.hpp"

namespace tollgate::service {

namespace {
constexpr std::size_t kThreads = 2;
constexpr std::size_t kQueueMax = 32;
constexpr std::size_t kBodyBytesMax = 4096;
}  // namespace

Operations::Operations(OperationsSettings settings, std::string_view service_name, telemetry::Metrics& metrics)
    : settings_(std::move(settings)),
      metrics_(metrics),
      process_stats_(metrics),
      ready_(metrics.gauge("tollgate_" + std::string(service_name) + "_ready", "1 while the service takes work.")),
      dropped_lines_(metrics.counter("tollgate_" + std::string(service_name) + "_log_lines_dropped_total",
                                     "Log lines lost because the writer could not keep up.")) {}

base::Result<void> Operations::start() {
  if (settings_.port == 0) {
    return {};
  }
  http::ServerSettings server;
  server.address = settings_.address;
  server.port = settings_.port;
  server.threads = kThreads;
  server.queue_max = kQueueMax;
  server.body_bytes_max = kBodyBytesMax;
  server_ = std::make_unique<http::Server>(server);
  server_->route("GET", "/healthz", [](const http::Request&) { return http::Response{200, "application/json", R"({"alive":true})", {}}; });
  server_->route("GET", "/readyz", [this](const http::Request&) { return readiness(); });
  server_->route("GET", "/metrics", [this](const http::Request&) { return render(); });
  return server_->start();
}

void Operations::serviceStarted(const Service& service) {
  const std::unique_lock lock(mutex_);
  service_ = &service;
}

void Operations::serviceEnding(std::string why) {
  const std::unique_lock lock(mutex_);
  service_ = nullptr;
  why_ = std::move(why);
}

void Operations::stop() {
  if (server_) {
    server_->stop();
  }
}

http::Response Operations::readiness() const {
  const std::shared_lock lock(mutex_);
  const Readiness state = service_ != nullptr ? service_->ready() : Readiness{false, why_};
  nlohmann::ordered_json document = {{"ready", state.ready}, {"why", state.ready ? "" : state.why}};
  http::Response response;
  response.status = state.ready ? 200 : 503;
  response.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return response;
}

http::Response Operations::render() {
  process_stats_.update();
  dropped_lines_.add(static_cast<double>(telemetry::droppedLines()) - dropped_lines_.value());
  {
    const std::shared_lock lock(mutex_);
    ready_.set(service_ != nullptr && service_->ready().ready ? 1 : 0);
  }
  return http::Response{200, "text/plain; version=0.0.4; charset=utf-8", metrics_.render(), {}};
}

}  // namespace tollgate::service
