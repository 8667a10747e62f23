// The ingress's metrics, made once at start-up: tollgate_ingress_*. Using them: any thread, but phaseChanged() (loop thread).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "libs/base/reason.hpp"
#include "libs/call/types.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::ingress {

class IngressMetrics {
 public:
  explicit IngressMetrics(telemetry::Metrics& metrics);

  void phaseChanged(call::Phase from, call::Phase to);
  void callEnded(base::Reason reason);
  void decided(call::Stage stage, std::chrono::nanoseconds time, bool answered);
  void attempted(call::AttemptEnd end);

  telemetry::Histogram& setup;  // INVITE in to first INVITE out
  telemetry::Counter& unknown_sources;
  telemetry::Counter& refused_without_record;
  telemetry::Counter& stale_events;    // for calls that are gone
  telemetry::Counter& ignored_events;  // that made no sense in the call's phase
  telemetry::Counter& events_lost;     // not published: the bus was away
  telemetry::Counter& inbox_refused;   // decisions that did not fit into the loop's inbox
  telemetry::Gauge& calls;
  telemetry::Gauge& draining;
  telemetry::Gauge& loop_longest_turn;
  telemetry::Gauge& sip_transactions;
  telemetry::Counter& sip_retransmissions;

 private:
  static constexpr std::size_t kReasons = 46;  // highest number of a Reason and one
  std::array<telemetry::Counter*, kReasons> ended_{};
  std::array<telemetry::Gauge*, 9> phases_{};
  std::array<telemetry::Histogram*, 5> decisions_{};
  std::array<telemetry::Counter*, 5> undecided_{};
  std::array<telemetry::Counter*, 8> attempts_{};
};

}  // namespace tollgate::ingress
