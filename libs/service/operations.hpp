// The operations endpoints: /healthz (200 while the process answers), /readyz (200 or 503, JSON with why), /metrics.
// Handlers run on the HTTP server's worker threads.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>

#include "libs/base/result.hpp"
#include "libs/http/server.hpp"
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

  [[nodiscard]] base::Result<void> start();
  // From now on readiness is asked of `service`; before, it is "starting".
  void serviceStarted(const Service& service);
  // From now on the service is not asked any more. Returns when nobody is asking it.
  void serviceEnding(std::string why);
  void stop();

 private:
  [[nodiscard]] http::Response readiness() const;
  [[nodiscard]] http::Response render();

  // Passed in.
  OperationsSettings settings_;
  telemetry::Metrics& metrics_;
  // Owned.
  ProcessStats process_stats_;
  telemetry::Gauge& ready_;
  telemetry::Counter& dropped_lines_;
  std::unique_ptr<http::Server> server_;
  // Derived.
  mutable std::shared_mutex mutex_;
  const Service* service_ = nullptr;
  std::string why_ = "starting";
};

}  // namespace tollgate::service
