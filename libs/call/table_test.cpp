// Every event in every phase: the phase after it, or that it changes nothing and is counted.
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"

namespace tollgate::call {
namespace {

using std::chrono::milliseconds;

// Columns: new, identifying, routing, reserving, hunting, ringing, talking, ending (a cancelled leg is still out), over.
constexpr std::string_view kColumns = "NITSHRKEO";

Phase phaseOf(char letter) {
  switch (letter) {
    case 'N':
      return Phase::kNew;
    case 'I':
      return Phase::kIdentifying;
    case 'T':
      return Phase::kRouting;
    case 'S':
      return Phase::kReserving;
    case 'H':
      return Phase::kHunting;
    case 'R':
      return Phase::kRinging;
    case 'K':
      return Phase::kTalking;
    case 'E':
      return Phase::kEnding;
    default:
      return Phase::kOver;
  }
}

void bring(Driver& driver, char column) {
  const std::vector<Candidate> candidates = {Driver::candidate(20, 2)};
  switch (column) {
    case 'N':
      break;
    case 'I':
      driver.toIdentifying();
      break;
    case 'T':
      driver.toRouting();
      break;
    case 'S':
      driver.toReserving(candidates);
      break;
    case 'H':
      driver.toHunting(candidates);
      break;
    case 'R':
      driver.toRinging(candidates);
      break;
    case 'K':
      driver.toTalking();
      break;
    case 'E':
      driver.toRinging(candidates);
      driver.feed(CallerCancelled{});
      break;
    default:
      driver.toTalking();
      driver.feed(PartyBye{Side::kCaller, 0});
      break;
  }
  ASSERT_EQ(driver.machine.phase(), phaseOf(column)) << column;
}

struct Row {
  std::string_view event;
  // One letter a column: the phase after the event, '.' = ignored.
  std::string_view after;
  std::function<Event()> make;
  milliseconds later{0};
};

// What the stages answer.
std::vector<Row> decisions() {
  constexpr auto reason = base::Reason::kNoCredit;
  return {
      {"invited", "I........", [] { return Driver::invited(); }},
      {"authorized", ".T.......", [] { return Driver::authorized(); }},
      {"routed", "..S......", [] { return Driver::routed({Driver::candidate(20, 1)}); }},
      {"routed to nowhere", "..O......", [] { return Driver::routed({}); }},
      {"reserved", "...H.....", [] { return Driver::reserved(); }},
      {"occupied", ".........", [] { return Driver::occupied(0); }},
      {"extended", ".........",
       [] {
         return Extended{120, 1, false};
       }},
      {"auth refused", ".O.......", [] { return Driver::refused(Decision::kAuthorize, reason); }},
      {"routing refused", "..O......", [] { return Driver::refused(Decision::kRoute, reason); }},
      {"reserve refused", "...O.....", [] { return Driver::refused(Decision::kReserve, reason); }},
      {"occupy refused", ".........", [] { return Driver::refused(Decision::kOccupy, reason); }},
      {"extend refused", ".........", [] { return Driver::refused(Decision::kExtend, reason); }},
      {"auth failed", ".O.......",
       [] {
         return DecisionFailed{Decision::kAuthorize, ""};
       }},
      {"routing failed", "..O......",
       [] {
         return DecisionFailed{Decision::kRoute, ""};
       }},
      {"reserve failed", "...O.....",
       [] {
         return DecisionFailed{Decision::kReserve, ""};
       }},
      {"occupy failed", ".........",
       [] {
         return DecisionFailed{Decision::kOccupy, ""};
       }},
      {"extend failed", ".........",
       [] {
         return DecisionFailed{Decision::kExtend, ""};
       }},
  };
}

// What carriers do.
std::vector<Row> legs() {
  return {
      {"leg started", "....HRK..",
       [] {
         return LegStarted{1, "b"};
       }},
      {"leg 100", "....HR...",
       [] {
         return LegProvisional{1, 100, false};
       }},
      {"leg 180", "....RR...",
       [] {
         return LegProvisional{1, 180, false};
       }},
      {"leg 183 with SDP", "....RR...",
       [] {
         return LegProvisional{1, 183, true};
       }},
      {"180 of no leg", ".........",
       [] {
         return LegProvisional{9, 180, false};
       }},
      {"leg answered", "....KK.O.", [] { return LegAnswered{1}; }},
      {"no leg answered", ".........", [] { return LegAnswered{0}; }},
      {"leg busy", "....OO.O.", [] { return Driver::response(1, 486); }},
      {"leg unavailable", "....HH.O.", [] { return Driver::response(1, 503); }},
      {"leg timed out", "....HH.O.",
       [] {
         return LegFailed{1, LegFailure::kTimeout, 0};
       }},
      {"leg unreachable", "....HH.O.",
       [] {
         return LegFailed{1, LegFailure::kTransportError, 0};
       }},
      {"no leg failed", ".........", [] { return Driver::response(2, 503); }},
  };
}

// What the caller, the clock and operators do.
std::vector<Row> others() {
  return {
      {"caller cancels", ".OOEEE...", [] { return CallerCancelled{}; }},
      {"caller acks", "......K..", [] { return CallerAcked{}; }},
      {"caller never acks", "......O..", [] { return CallerNoAck{}; }},
      {"caller bye", ".OOEEEO..",
       [] {
         return PartyBye{Side::kCaller, 0};
       }},
      {"carrier bye", "......O..",
       [] {
         return PartyBye{Side::kCarrier, 1};
       }},
      {"bye of no leg", ".........",
       [] {
         return PartyBye{Side::kCarrier, 2};
       }},
      {"setup timer", ".OOEEE...", [] { return TimerFired{TimerKind::kSetup}; }, milliseconds(180000)},
      {"try timer", "....H....", [] { return TimerFired{TimerKind::kTry}; }, milliseconds(4000)},
      {"ringing timer", ".....E...", [] { return TimerFired{TimerKind::kRinging}; }, milliseconds(90000)},
      {"paid end timer", "......O..", [] { return TimerFired{TimerKind::kPaidEnd}; }, milliseconds(60000)},
      {"extend timer", "....HRK..", [] { return TimerFired{TimerKind::kExtend}; }, milliseconds(40000)},
      {"duration timer", ".........", [] { return TimerFired{TimerKind::kMaxDuration}; }},
      {"linger timer", ".......O.", [] { return TimerFired{TimerKind::kLinger}; }, milliseconds(36000)},
      {"operator hangs up", ".OOEEEO..", [] { return OperatorHangup{"anna"}; }},
      {"shutdown", ".OOEEEO..", [] { return Shutdown{}; }},
  };
}

std::vector<Row> table() {
  auto rows = decisions();
  for (const auto& more : {legs(), others()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

TEST(CallMachineTable, LeadsWhereTheTableSaysForEveryEventInEveryPhase) {
  for (const auto& row : table()) {
    ASSERT_EQ(row.after.size(), kColumns.size()) << row.event;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      SCOPED_TRACE(std::string(row.event) + " in " + std::string(phaseWord(phaseOf(kColumns[i]))));
      Driver driver;
      bring(driver, kColumns[i]);
      const auto ignored = driver.machine.ignoredEvents();
      driver.feedAfter(row.later, row.make());
      const bool is_ignored = row.after[i] == '.';
      EXPECT_EQ(driver.machine.phase(), phaseOf(is_ignored ? kColumns[i] : row.after[i]));
      EXPECT_EQ(driver.machine.ignoredEvents() - ignored, is_ignored ? 1U : 0U);
      if (is_ignored) {
        EXPECT_TRUE(driver.actions.empty());
      }
      // REQUIREMENTS 10.1: a call that is over has left exactly one final record, one that is not over at most one.
      EXPECT_LE(driver.finals(), 1);
      if (driver.machine.isOver()) {
        EXPECT_EQ(driver.finals(), 1);
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::call
