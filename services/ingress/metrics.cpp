#include "services/ingress/metrics.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::ingress {
namespace {

// The steps are small near the budget (p50 <= 1 ms, p99 <= 10 ms) and large beyond it.
const std::vector<double> kBounds = {0.00005, 0.0001,  0.00015, 0.0002, 0.0003, 0.0004, 0.0005, 0.0006, 0.0008,
                                     0.001,   0.00125, 0.0015,  0.002,  0.0025, 0.003,  0.004,  0.005,  0.0075,
                                     0.01,    0.015,   0.02,    0.03,   0.05,   0.1,    0.25,   0.5,    1.0};

std::string word(std::string_view text) {
  return std::string(text);
}

}  // namespace

void IngressMetrics::Total::show(std::uint64_t total) {
  counter.add(static_cast<double>(total - seen));
  seen = total;
}

IngressMetrics::SipMetrics::SipMetrics(telemetry::Metrics& metrics)
    : received{metrics.counter("tollgate_ingress_sip_messages_total", "SIP messages received")},
      bad{metrics.counter("tollgate_ingress_sip_bad_messages_total", "SIP messages that could not be parsed or lack mandatory headers")},
      retransmitted{metrics.counter("tollgate_ingress_sip_retransmissions_total", "SIP requests sent again")},
      received_again{metrics.counter("tollgate_ingress_sip_repeated_requests_total", "SIP requests received again")},
      dropped{metrics.counter("tollgate_ingress_sip_dropped_total", "SIP requests of unknown sources that got no answer")},
      overloaded{metrics.counter("tollgate_ingress_sip_overloaded_total", "SIP requests refused for too many open transactions")},
      transactions(metrics.gauge("tollgate_ingress_sip_transactions", "Transactions in the SIP stack's tables")),
      dialogs(metrics.gauge("tollgate_ingress_sip_dialogs", "Dialogs in the SIP stack's tables")),
      server_handles(metrics.gauge("tollgate_ingress_sip_handles", "SIP handles that calls hold", {{"kind", "server_transaction"}})),
      client_handles(metrics.gauge("tollgate_ingress_sip_handles", "SIP handles that calls hold", {{"kind", "client_transaction"}})),
      dialog_handles(metrics.gauge("tollgate_ingress_sip_handles", "SIP handles that calls hold", {{"kind", "dialog"}})) {}

IngressMetrics::LoopMetrics::LoopMetrics(telemetry::Metrics& metrics)
    : turns{metrics.counter("tollgate_ingress_loop_turns_total", "Turns of the loop")},
      tasks{metrics.counter("tollgate_ingress_loop_tasks_total", "Tasks of other threads that the loop has run")},
      tasks_refused{metrics.counter("tollgate_ingress_inbox_refused_total", "Tasks that did not fit into the loop's inbox")},
      timers_stale{metrics.counter("tollgate_ingress_loop_stale_timers_total", "Timers cancelled after they had fired")},
      timers_armed(metrics.gauge("tollgate_ingress_loop_timers", "Timers armed")),
      longest_turn(metrics.gauge("tollgate_ingress_loop_longest_turn_seconds", "Longest turn of the loop in the last second")) {}

IngressMetrics::IngressMetrics(telemetry::Metrics& metrics)
    : setup(metrics.histogram("tollgate_ingress_setup_seconds", "From the caller's INVITE to the first INVITE to a carrier", kBounds)),
      unknown_sources(metrics.counter("tollgate_ingress_unknown_sources_total", "SIP requests from addresses on no source row")),
      refused_without_record(
          metrics.counter("tollgate_ingress_refused_without_record_total", "INVITEs refused before the authorised networks were known")),
      stale_events(metrics.counter("tollgate_ingress_stale_events_total", "Callbacks, timers and answers for calls that exist no more")),
      ignored_events(metrics.counter("tollgate_ingress_ignored_events_total", "Events that made no sense in their call's phase")),
      events_lost(metrics.counter("tollgate_ingress_events_lost_total", "Events for watching that could not be published")),
      faulted_calls(metrics.counter("tollgate_ingress_faulted_calls_total", "Calls ended because a step of theirs threw an exception")),
      records_lost(metrics.counter("tollgate_ingress_records_lost_total", "Records that could not be kept; the log has what is known")),
      released_calls(
          metrics.counter("tollgate_ingress_released_calls_total", "Ended calls that billing released before their record was stored")),
      calls(metrics.gauge("tollgate_ingress_calls", "Calls in memory")),
      unstored_calls(metrics.gauge("tollgate_ingress_unstored_calls", "Ended calls whose last record the stream has not stored yet")),
      overloaded(metrics.gauge("tollgate_ingress_overloaded", "1 while new calls are refused because too many records wait")),
      draining(metrics.gauge("tollgate_ingress_draining", "1 while new calls are refused")),
      sip_(metrics),
      loop_(metrics) {
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
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    const telemetry::Labels labels = {{"decision", word(call::decisionWord(static_cast<call::Decision>(i)))}};
    decisions_[i] = &metrics.histogram("tollgate_ingress_decision_seconds", "From request to answer", kBounds, labels);
    failures_[i] = &metrics.counter("tollgate_ingress_decision_failures_total", "Decisions without an answer in time", labels);
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

void IngressMetrics::decided(call::Decision decision, std::chrono::nanoseconds time, bool answered) {
  const auto index = static_cast<std::size_t>(decision);
  decisions_[index]->observe(std::chrono::duration<double>(time).count());
  if (!answered) {
    failures_[index]->add();
  }
}

void IngressMetrics::report(const sofia::AgentStats& agent) {
  sip_.received.show(agent.received);
  sip_.bad.show(agent.bad);
  sip_.retransmitted.show(agent.retransmitted);
  sip_.received_again.show(agent.received_again);
  sip_.dropped.show(agent.dropped);
  sip_.overloaded.show(agent.overloaded);
  sip_.transactions.set(static_cast<double>(agent.stack_incoming + agent.stack_outgoing));
  sip_.dialogs.set(static_cast<double>(agent.stack_legs));
  sip_.server_handles.set(static_cast<double>(agent.server_transactions));
  sip_.client_handles.set(static_cast<double>(agent.client_transactions));
  sip_.dialog_handles.set(static_cast<double>(agent.legs));
}

void IngressMetrics::report(const sofia::LoopStats& loop) {
  loop_.turns.show(loop.turns);
  loop_.tasks.show(loop.tasks);
  loop_.tasks_refused.show(loop.tasks_refused);
  loop_.timers_stale.show(loop.timers_stale);
  loop_.timers_armed.set(static_cast<double>(loop.timers_armed));
  loop_.longest_turn.set(static_cast<double>(loop.longest_turn_micros) / 1e6);
}

void IngressMetrics::attempted(call::AttemptEnd end) {
  attempts_[static_cast<std::size_t>(end)]->add();
}

}  // namespace tollgate::ingress
