// What the configuration feed and the snapshots made from it report, made once at start-up, because looking a metric up costs more than a
// decision. Any thread.
#pragma once

#include <string_view>

#include "libs/telemetry/metrics.hpp"

namespace tollgate::feed {

struct FeedMetrics {
  // `service` as in admin_api: part of the metrics' names.
  FeedMetrics(telemetry::Metrics& metrics, std::string_view service);

  telemetry::Counter& failures;    // rounds that failed and are tried again
  telemetry::Counter& full_loads;  // the first load and every later one
  // Unix time of the last round after which the tables agreed with MySQL; 0 before the first. It is a time and not an age, because an age
  // would stop growing when the feed's thread hangs.
  telemetry::Gauge& last_success;
};

// Of a service that answers from snapshots, see snapshot_service.hpp. `service` as above.
struct SnapshotMetrics {
  SnapshotMetrics(telemetry::Metrics& metrics, std::string_view service);

  telemetry::Gauge& version;
  telemetry::Gauge& publish_seconds;
  telemetry::Counter& rows_refused;
  telemetry::Counter& unready;
};

}  // namespace tollgate::feed
