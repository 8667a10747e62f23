#include "services/billing/metrics.hpp"

namespace tollgate::billing {

namespace {

telemetry::Counter& requests(telemetry::Metrics& metrics, const char* verb, const char* outcome) {
  return metrics.counter("tollgate_billing_requests_total", "requests answered", {{"verb", verb}, {"outcome", outcome}});
}

telemetry::Counter& payments(telemetry::Metrics& metrics, const char* outcome) {
  return metrics.counter("tollgate_billing_payments_total", "payments, adjustments and refunds", {{"outcome", outcome}});
}

telemetry::Counter& cdrs(telemetry::Metrics& metrics, const char* outcome) {
  return metrics.counter(
      "tollgate_billing_cdrs_total",
      "call records committed: written, repeated (was there), corrected (truth after instance_lost), lost (instance_lost)",
      {{"outcome", outcome}});
}

}  // namespace

BillingMetrics::BillingMetrics(telemetry::Metrics& metrics)
    : reserve_granted(requests(metrics, "reserve", "granted")),
      reserve_refused(requests(metrics, "reserve", "refused")),
      reserve_failed(requests(metrics, "reserve", "failed")),
      occupy_granted(requests(metrics, "occupy", "granted")),
      occupy_refused(requests(metrics, "occupy", "refused")),
      occupy_failed(requests(metrics, "occupy", "failed")),
      extend_granted(requests(metrics, "extend", "granted")),
      extend_refused(requests(metrics, "extend", "refused")),
      extend_failed(requests(metrics, "extend", "failed")),
      payments_posted(payments(metrics, "posted")),
      payments_repeated(payments(metrics, "repeated")),
      payments_refused(payments(metrics, "refused")),
      records_in_hand(metrics.gauge("tollgate_billing_records_in_hand", "records taken from the stream and not acknowledged yet")),
      dead_letters(metrics.counter("tollgate_billing_dead_letters_total", "records that could not be read or stored")),
      cdrs_written(cdrs(metrics, "written")),
      cdrs_repeated(cdrs(metrics, "repeated")),
      cdrs_corrected(cdrs(metrics, "corrected")),
      cdrs_lost(cdrs(metrics, "lost")),
      commits_failed(metrics.counter("tollgate_billing_commit_failures_total", "commits of records that failed and were tried again")),
      settles_failed(metrics.counter("tollgate_billing_settle_failures_total", "settlements in Redis that failed and were tried again")),
      commit_seconds(metrics.histogram("tollgate_billing_commit_seconds", "time of one commit of records",
                                       {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5})),
      accounts_missing(metrics.counter("tollgate_billing_accounts_missing_total", "requests that met an account absent from Redis")),
      accounts_loaded(metrics.counter("tollgate_billing_accounts_loaded_total", "accounts written to Redis from MySQL and the live calls")),
      hold_drift_micros(metrics.gauge("tollgate_billing_hold_drift_micros",
                                      "held sums against the holds themselves, over the last round of all customers; must be 0")),
      config_version(metrics.gauge("tollgate_billing_config_version", "version of the configuration in force")) {}

}  // namespace tollgate::billing
