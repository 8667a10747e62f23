// The operations endpoints: /healthz (200 while the process answers), /readyz (200, or 503 with the reason), /metrics.
// start(), serviceStarted(), serviceEnding(), stop(): main thread. The endpoints are answered on the server's own threads. Owns the server.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "libs/base/result.hpp"
#include "libs/service/ops_server.hpp"
#include "libs/service/process_stats.hpp"
#include "libs/service/service.hpp"

namespace tollgate::service {

struct OperationsSettings {
  std::string address;
  std::uint16_t port = 0;  // 0 = no endpoints
};

class Operations {
 public:
  Operations(OperationsSettings settings, std::string_view service_name, telemetry::Metrics& metrics);

  // Errors: those of OpsServer::start().
  [[nodiscard]] base::Result<void> start();
  // Readiness comes from `service` from now on; before this call it is "starting". Requires: `service` lives until serviceEnding().
  void serviceStarted(const Service& service);
  // Not ready from now on, and /readyz says `error`. Returns when no endpoint is using the service any more.
  void serviceEnding(std::string error);
  void stop();

 private:
  [[nodiscard]] Readiness currentReadiness();
  [[nodiscard]] OpsResponse readiness();
  [[nodiscard]] OpsResponse render();

  // Passed in.
  OperationsSettings settings_;
  telemetry::Metrics& metrics_;
  // Owned.
  ProcessStats process_stats_;
  telemetry::Gauge& ready_;
  telemetry::Counter& dropped_lines_;
  telemetry::Counter& dropped_connections_;
  std::unique_ptr<OpsServer> server_;
  // Derived.
  std::shared_mutex service_mutex_;  // held while `service_` is in use
  const Service* service_ = nullptr;
  std::mutex update_mutex_;  // held while a scrape updates the counters
  std::mutex asking_mutex_;  // held by the one thread that asks the service
  std::mutex last_mutex_;
  Readiness last_{false, "starting"};  // the newest answer, or the reason why there is no service to ask
};

}  // namespace tollgate::service
