// The metrics of the spool of records: tollgate_ingress_spool_*. One thread at a time: the loop thread, and the one that stops it
// afterwards.
#pragma once

#include "libs/spool/record_spool.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::ingress {

class SpoolMetrics {
 public:
  explicit SpoolMetrics(telemetry::Metrics& metrics);
  // Requires: `stats` of one spool, in the order in which they were read.
  void update(const spool::SpoolStats& stats);

 private:
  // Passed in.
  telemetry::Gauge& records_;
  telemetry::Gauge& bytes_;
  telemetry::Gauge& memory_only_;
  telemetry::Gauge& set_aside_bytes_;
  telemetry::Counter& appended_;
  telemetry::Counter& refused_;
  telemetry::Counter& stored_;
  telemetry::Counter& resent_;
  telemetry::Counter& replayed_;
  telemetry::Counter& write_failures_;
  telemetry::Counter& damaged_files_;
  telemetry::Counter& unreadable_;
  telemetry::Counter& lost_;
  // Derived.
  spool::SpoolStats last_;
};

}  // namespace tollgate::ingress
