#include "libs/feed/metrics.hpp"

#include <string>

namespace tollgate::feed {

FeedMetrics::FeedMetrics(telemetry::Metrics& metrics, std::string_view service)
    : failures(metrics.counter("tollgate_" + std::string(service) + "_feed_failures_total",
                               "rounds of the configuration feed that failed and are tried again")),
      full_loads(metrics.counter("tollgate_" + std::string(service) + "_feed_full_loads_total",
                                 "times the whole configuration was loaded, the first load included")),
      last_success(metrics.gauge("tollgate_" + std::string(service) + "_feed_last_success_timestamp_seconds",
                                 "Unix time of the last successful round of the configuration feed; 0 before the first")) {}

SnapshotMetrics::SnapshotMetrics(telemetry::Metrics& metrics, std::string_view service)
    : version(
          metrics.gauge("tollgate_" + std::string(service) + "_snapshot_version", "configuration version of the snapshot that answers")),
      publish_seconds(
          metrics.gauge("tollgate_" + std::string(service) + "_snapshot_publish_seconds", "time it took to make the last snapshot")),
      rows_refused(metrics.counter("tollgate_" + std::string(service) + "_rows_refused_total",
                                   "rows read from MySQL that break a rule and were skipped")),
      unready(metrics.counter("tollgate_" + std::string(service) + "_unready_total",
                              "requests that came before the first load and were answered with an error")) {}

}  // namespace tollgate::feed
