// CPU time, memory, open files and threads of this process as metrics, under the names that every Prometheus client uses. update() is
// called before each render; any thread.
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
