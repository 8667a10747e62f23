#include "services/ingress/metrics.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::ingress {
namespace {

// Fine where the budget is (p50 <= 1 ms, p99 <= 10 ms), coarse beyond.
const std::vector<double> kBounds = {0.00005, 0.0001,  0.00015, 0.0002, 0.0003, 0.0004, 0.0005, 0.0006, 0.0008,
                                     0.001,   0.00125, 0.0015,  0.002,  0.0025, 0.003,  0.004,  0.005,  0.0075,
                                     0.01,    0.015,   0.02,    0.03,   0.05,   0.1,    0.25,   0.5,    1.0};
constexpr std::array<std::string_view, 5> kStages = {"auth", "routing", "reserve", "occupy", "extend"};

std::string word(std::string_view text) {
  return std::string(text);
}

}  // namespace

IngressMetrics::IngressMetrics(telemetry::Metrics& metrics)
    : setup(metrics.histogram("tollgate_ingress_setup_seconds", "From the caller's INVITE to the first INVITE to a carrier", kBounds)),
      unknown_sources(metrics.counter("tollgate_ingress_unknown_sources_total", "SIP requests from addresses on no source row")),
      refused_without_record(
          metrics.counter("tollgate_ingress_refused_without_record_total", "INVITEs refused before the authorised networks were known")),
      stale_events(metrics.counter("tollgate_ingress_stale_events_total", "Callbacks, timers and answers for calls that are gone")),
      ignored_events(metrics.counter("tollgate_ingress_ignored_events_total", "Events that made no sense in their call's phase")),
      events_lost(metrics.counter("tollgate_ingress_events_lost_total", "Events for watching that could not be published")),
      inbox_refused(metrics.counter("tollgate_ingress_inbox_refused_total", "Answers that did not fit into the loop's inbox")),
      calls(metrics.gauge("tollgate_ingress_calls", "Calls in memory")),
      draining(metrics.gauge("tollgate_ingress_draining", "1 while new calls are refused")),
      loop_longest_turn(metrics.gauge("tollgate_ingress_loop_longest_turn_seconds", "Longest turn of the loop in the last second")),
      sip_transactions(metrics.gauge("tollgate_ingress_sip_transactions", "Transactions in the SIP stack's tables")),
      sip_retransmissions(metrics.counter("tollgate_ingress_sip_retransmissions_total", "SIP requests sent again")) {
  for (const auto& row : base::reasonTable()) {
    ended_[static_cast<std::size_t>(row.reason)] =
        &metrics.counter("tollgate_ingress_calls_total", "Calls that are over, by reason", {{"reason", word(row.word)}});
  }
  for (std::size_t i = 0; i < phases_.size(); ++i) {
    const auto phase = static_cast<call::Phase>(i);
    if (phase != call::Phase::kNew && phase != call::Phase::kOver) {
      phases_[i] = &metrics.gauge("tollgate_ingress_active_calls", "Calls now, by phase", {{"phase", word(call::phaseWord(phase))}});
    }
  }
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    decisions_[i] =
        &metrics.histogram("tollgate_ingress_decision_seconds", "From question to answer", kBounds, {{"stage", word(kStages[i])}});
    undecided_[i] =
        &metrics.counter("tollgate_ingress_undecided_total", "Questions without an answer in time", {{"stage", word(kStages[i])}});
  }
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    const auto end = call::attemptEndWord(static_cast<call::AttemptEnd>(i));
    attempts_[i] = &metrics.counter("tollgate_ingress_attempts_total", "Attempts at carriers, by how they ended", {{"end", word(end)}});
  }
}

void IngressMetrics::phaseChanged(call::Phase from, call::Phase to) {
  if (auto* gauge = phases_[static_cast<std::size_t>(from)]) {
    gauge->add(-1);
  }
  if (auto* gauge = phases_[static_cast<std::size_t>(to)]) {
    gauge->add(1);
  }
}

void IngressMetrics::callEnded(base::Reason reason) {
  auto* counter = ended_[static_cast<std::size_t>(reason)];
  (counter != nullptr ? counter : ended_[0])->add();
}

void IngressMetrics::decided(call::Stage stage, std::chrono::nanoseconds time, bool answered) {
  const auto index = static_cast<std::size_t>(stage);
  decisions_[index]->observe(std::chrono::duration<double>(time).count());
  if (!answered) {
    undecided_[index]->add();
  }
}

void IngressMetrics::attempted(call::AttemptEnd end) {
  attempts_[static_cast<std::size_t>(end)]->add();
}

}  // namespace tollgate::ingress
