// What the kernel knows of this process, under the names every Prometheus client uses. update() before each render; any thread.
#pragma once

#include "libs/telemetry/metrics.hpp"

namespace tollgate::service {

class ProcessStats {
 public:
  explicit ProcessStats(telemetry::Metrics& metrics);
  void update();

 private:
  telemetry::Counter& cpu_seconds_;
  telemetry::Gauge& resident_bytes_;
  telemetry::Gauge& open_files_;
  telemetry::Gauge& threads_;
};

}  // namespace tollgate::service
