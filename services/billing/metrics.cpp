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
      "call records committed: written, repeated (written before), corrected (the true record after instance_lost), lost (instance_lost)",
      {{"outcome", outcome}});
}

telemetry::Gauge& unread(telemetry::Metrics& metrics, const char* consumer) {
  return metrics.gauge("tollgate_billing_records_unread", "records of the stream that the consumer has not acknowledged yet",
                       {{"consumer", consumer}});
}

}  // namespace

RequestCounters::RequestCounters(telemetry::Metrics& metrics, const char* verb)
    : granted(requests(metrics, verb, "granted")), refused(requests(metrics, verb, "refused")), failed(requests(metrics, verb, "failed")) {}

BillingMetrics::BillingMetrics(telemetry::Metrics& metrics)
    : reserve(metrics, "reserve"),
      occupy(metrics, "occupy"),
      extend(metrics, "extend"),
      release(metrics, "release"),
      payments_posted(payments(metrics, "posted")),
      payments_repeated(payments(metrics, "repeated")),
      payments_refused(payments(metrics, "refused")),
      payments_failed(payments(metrics, "failed")),
      records_unacknowledged(
          metrics.gauge("tollgate_billing_records_unacknowledged", "records fetched for the books and not acknowledged yet")),
      records_unread_slots(unread(metrics, "slots")),
      records_unread_books(unread(metrics, "billing")),
      streams_made(metrics.counter("tollgate_billing_stream_repairs_total",
                                   "times the record stream or a consumer of it was missing and was made again")),
      dead_letters(metrics.counter("tollgate_billing_dead_letters_total", "records that could not be read or stored")),
      dead_letters_waiting(metrics.gauge("tollgate_billing_dead_letters_waiting", "dead letters that nobody has replayed yet")),
      cdrs_written(cdrs(metrics, "written")),
      cdrs_repeated(cdrs(metrics, "repeated")),
      cdrs_corrected(cdrs(metrics, "corrected")),
      cdrs_lost(cdrs(metrics, "lost")),
      commits_failed(metrics.counter("tollgate_billing_commit_failures_total", "commits of records that failed and were repeated")),
      commit_blocked_seconds(metrics.gauge("tollgate_billing_commit_blocked_seconds",
                                           "how long MySQL has refused to store records, at the last try; 0 when it stores them")),
      settles_failed(metrics.counter("tollgate_billing_settle_failures_total", "settlements in Redis that failed and were repeated")),
      commit_seconds(metrics.histogram("tollgate_billing_commit_seconds", "duration of one commit of records",
                                       {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5})),
      mysql_bytes(metrics.gauge("tollgate_billing_mysql_bytes", "size of all tables of the database with their indexes and free space")),
      mysql_bytes_max(
          metrics.gauge("tollgate_billing_mysql_bytes_max", "what they may use, by the setting mysql_bytes_max; 0 = not known")),
      partitions_dropped(metrics.counter("tollgate_billing_partitions_dropped_total", "daily partitions dropped beyond the retention")),
      storage_failures(metrics.counter("tollgate_billing_storage_failures_total",
                                       "times that partitions could not be kept or the tables not be measured; it is tried again")),
      accounts_missing(metrics.counter("tollgate_billing_accounts_missing_total", "requests for an account that is missing in Redis")),
      accounts_loaded(metrics.counter("tollgate_billing_accounts_loaded_total", "accounts rebuilt in Redis from MySQL and the live calls")),
      hold_drift_micros(metrics.gauge("tollgate_billing_hold_drift_micros",
                                      "difference between the held sums and the holds in the last two rounds of all customers; must be 0")),
      holds_without_call(
          metrics.gauge("tollgate_billing_holds_without_call", "holds whose call no ingress reports, in the last two rounds; must be 0")),
      calls_without_hold(metrics.gauge("tollgate_billing_calls_without_hold",
                                       "calls that an ingress reports and that hold nothing, in the last two rounds; must be 0")),
      slots_without_call(
          metrics.gauge("tollgate_billing_slots_without_call", "slots whose call no ingress reports, in the last two rounds; must be 0")),
      config_version(metrics.gauge("tollgate_billing_config_version", "version of the configuration in force")) {}

}  // namespace tollgate::billing
