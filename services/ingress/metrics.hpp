// The ingress's metrics, made once at start-up: tollgate_ingress_* (tests/golden/metrics.txt lists them). Any thread; phaseChanged() and
// report() the loop thread. Owns nothing but references into telemetry::Metrics, which must outlive it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "libs/base/enum_size.hpp"
#include "libs/base/reason.hpp"
#include "libs/call/types.hpp"
#include "libs/sofia/agent.hpp"
#include "libs/sofia/loop.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::ingress {

class IngressMetrics {
 public:
  explicit IngressMetrics(telemetry::Metrics& metrics);

  void phaseChanged(call::Phase from, call::Phase to);
  void callEnded(base::Reason reason);
  // `answered`: false when no answer came in time, or none that could be read.
  void decided(call::Decision decision, std::chrono::nanoseconds time, bool answered);
  void attempted(call::AttemptEnd end);
  // What libs/sofia has counted up to now; called once a second.
  void report(const sofia::AgentStats& agent);
  void report(const sofia::LoopStats& loop);

  telemetry::Histogram& setup;  // INVITE in to first INVITE out
  telemetry::Counter& unknown_sources;
  telemetry::Counter& refused_without_record;
  telemetry::Counter& stale_events;    // for calls that exist no more
  telemetry::Counter& ignored_events;  // that made no sense in the call's phase
  telemetry::Counter& events_lost;     // not published: the bus was not connected
  telemetry::Counter& faulted_calls;   // ended because a step threw
  telemetry::Counter& records_lost;    // could not be kept
  telemetry::Counter& released_calls;  // by billing, before the stream had the last record
  telemetry::Gauge& calls;
  telemetry::Gauge& unstored_calls;  // ended, but the stream has not stored the last record
  telemetry::Gauge& overloaded;
  telemetry::Gauge& draining;

 private:
  // A total that libs/sofia counts, shown as a counter.
  struct Total {
    telemetry::Counter& counter;
    std::uint64_t seen = 0;
    void show(std::uint64_t total);
  };
  struct SipMetrics {
    explicit SipMetrics(telemetry::Metrics& metrics);
    Total received, bad, retransmitted, received_again, dropped, overloaded;
    telemetry::Gauge &transactions, &dialogs, &server_handles, &client_handles, &dialog_handles;
  };
  struct LoopMetrics {
    explicit LoopMetrics(telemetry::Metrics& metrics);
    Total turns, tasks, tasks_refused, timers_stale;
    telemetry::Gauge &timers_armed, &longest_turn;
  };

  SipMetrics sip_;
  LoopMetrics loop_;
  std::array<telemetry::Counter*, base::enumSize(base::kLastReason)> ended_{};
  std::array<telemetry::Gauge*, base::enumSize(call::kLastPhase)> phases_{};
  std::array<telemetry::Histogram*, base::enumSize(call::kLastDecision)> decisions_{};
  std::array<telemetry::Counter*, base::enumSize(call::kLastDecision)> failures_{};
  std::array<telemetry::Counter*, base::enumSize(call::kLastAttemptEnd)> attempts_{};
};

}  // namespace tollgate::ingress
