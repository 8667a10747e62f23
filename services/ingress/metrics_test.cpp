#include "services/ingress/metrics.hpp"

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

class MetricsTest : public ::testing::Test {
 protected:
  bool shows(const std::string& line) {
    const auto text = metrics.render();
    return text.find("\n" + line + "\n") != std::string::npos;
  }
  telemetry::Metrics metrics;
  IngressMetrics ingress{metrics};
};

// STYLE 25: what libs/sofia counts reaches the operators. Totals are counters, so a second report adds only what is new.
TEST_F(MetricsTest, ShowsWhatTheStackCounts) {
  ingress.report(sofia::AgentStats{.received = 5, .bad = 1, .retransmitted = 2});
  ingress.report(sofia::AgentStats{.received = 8,
                                   .bad = 1,
                                   .retransmitted = 2,
                                   .received_again = 3,
                                   .dropped = 4,
                                   .overloaded = 6,
                                   .server_transactions = 7,
                                   .client_transactions = 9,
                                   .legs = 10,
                                   .stack_incoming = 11,
                                   .stack_outgoing = 12,
                                   .stack_legs = 13});
  for (const auto* line :
       {"sip_messages_total 8", "sip_bad_messages_total 1", "sip_retransmissions_total 2", "sip_repeated_requests_total 3",
        "sip_dropped_total 4", "sip_overloaded_total 6", "sip_handles{kind=\"server_transaction\"} 7",
        "sip_handles{kind=\"client_transaction\"} 9", "sip_handles{kind=\"dialog\"} 10", "sip_transactions 23", "sip_dialogs 13"}) {
    EXPECT_TRUE(shows("tollgate_ingress_" + std::string(line))) << line << "\n" << metrics.render();
  }
}

TEST_F(MetricsTest, ShowsWhatTheLoopCounts) {
  ingress.report(sofia::LoopStats{.turns = 1, .tasks = 1});
  ingress.report(
      sofia::LoopStats{.turns = 2, .tasks = 3, .tasks_refused = 4, .timers_armed = 5, .timers_stale = 6, .longest_turn_micros = 2'000'000});
  for (const auto* line : {"loop_turns_total 2", "loop_tasks_total 3", "inbox_refused_total 4", "loop_timers 5",
                           "loop_stale_timers_total 6", "loop_longest_turn_seconds 2"}) {
    EXPECT_TRUE(shows("tollgate_ingress_" + std::string(line))) << line << "\n" << metrics.render();
  }
}

TEST_F(MetricsTest, CountsDecisionsByTheirName) {
  ingress.decided(call::Decision::kReserve, std::chrono::milliseconds(1), true);
  ingress.decided(call::Decision::kReserve, std::chrono::milliseconds(1), false);
  EXPECT_TRUE(shows("tollgate_ingress_decision_seconds_count{decision=\"reserve\"} 2")) << metrics.render();
  EXPECT_TRUE(shows("tollgate_ingress_decision_failures_total{decision=\"reserve\"} 1")) << metrics.render();
}

}  // namespace
}  // namespace tollgate::ingress
