// The metrics of billing, made once at start-up. Using them: any thread.
#pragma once

#include "libs/telemetry/metrics.hpp"

namespace tollgate::billing {

struct BillingMetrics {
  explicit BillingMetrics(telemetry::Metrics& metrics);

  // Requests, by outcome.
  telemetry::Counter& reserve_granted;
  telemetry::Counter& reserve_refused;
  telemetry::Counter& reserve_failed;
  telemetry::Counter& occupy_granted;
  telemetry::Counter& occupy_refused;
  telemetry::Counter& occupy_failed;
  telemetry::Counter& extend_granted;
  telemetry::Counter& extend_refused;
  telemetry::Counter& extend_failed;
  telemetry::Counter& payments_posted;
  telemetry::Counter& payments_repeated;
  telemetry::Counter& payments_refused;
  // Records.
  telemetry::Gauge& records_in_hand;
  telemetry::Counter& dead_letters;
  telemetry::Counter& cdrs_written;
  telemetry::Counter& cdrs_repeated;
  telemetry::Counter& cdrs_corrected;
  telemetry::Counter& cdrs_lost;
  telemetry::Counter& commits_failed;
  telemetry::Counter& settles_failed;
  telemetry::Histogram& commit_seconds;
  // Accounts.
  telemetry::Counter& accounts_missing;
  telemetry::Counter& accounts_loaded;
  telemetry::Gauge& hold_drift_micros;
  telemetry::Gauge& config_version;
};

}  // namespace tollgate::billing
