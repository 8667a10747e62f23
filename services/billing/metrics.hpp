// The metrics of billing. Made on the start-up thread; used by any thread. Owns nothing: the registry passed in owns the metrics.
#pragma once

#include "libs/telemetry/metrics.hpp"

namespace tollgate::billing {

// The requests of one verb, by outcome.
struct RequestCounters {
  RequestCounters(telemetry::Metrics& metrics, const char* verb);
  telemetry::Counter& granted;
  telemetry::Counter& refused;
  telemetry::Counter& failed;  // could not be decided
};

struct BillingMetrics {
  explicit BillingMetrics(telemetry::Metrics& metrics);

  RequestCounters reserve;
  RequestCounters occupy;
  RequestCounters extend;
  RequestCounters release;
  telemetry::Counter& payments_posted;
  telemetry::Counter& payments_repeated;
  telemetry::Counter& payments_refused;
  telemetry::Counter& payments_failed;  // the store could not be used, or the outcome is not known
  // Records.
  telemetry::Gauge& records_unacknowledged;
  telemetry::Gauge& records_unread_slots;
  telemetry::Gauge& records_unread_books;
  telemetry::Counter& streams_made;
  telemetry::Counter& dead_letters;
  telemetry::Gauge& dead_letters_waiting;
  telemetry::Counter& cdrs_written;
  telemetry::Counter& cdrs_repeated;
  telemetry::Counter& cdrs_corrected;
  telemetry::Counter& cdrs_lost;
  telemetry::Counter& commits_failed;
  telemetry::Gauge& commit_blocked_seconds;
  telemetry::Counter& settles_failed;
  telemetry::Histogram& commit_seconds;
  // Storage.
  telemetry::Gauge& mysql_bytes;
  telemetry::Gauge& mysql_bytes_max;
  telemetry::Counter& partitions_dropped;
  telemetry::Counter& storage_failures;
  // Accounts.
  telemetry::Counter& accounts_missing;
  telemetry::Counter& accounts_loaded;
  telemetry::Gauge& hold_drift_micros;
  telemetry::Gauge& holds_without_call;
  telemetry::Gauge& calls_without_hold;
  telemetry::Gauge& slots_without_call;
  telemetry::Gauge& config_version;
};

}  // namespace tollgate::billing
