// Hunting and ringing (REQUIREMENTS 5, 6.3).
#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"

namespace tollgate::call {
namespace {

using base::Reason;
using std::chrono::milliseconds;
using std::chrono::seconds;

// REQUIREMENTS 5.1: endpoints within a trunk, then the next candidate with a free slot.
TEST(Hunt, TriesEndpointsThenAsksForTheNextCandidate) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 2), Driver::candidate(21, 1), Driver::candidate(22, 1)});
  driver.feed(Driver::response(1, 503));
  ASSERT_EQ(driver.last<StartLeg>().size(), 1U);
  EXPECT_EQ(driver.last<StartLeg>()[0].endpoint, 1U);
  driver.feed(Driver::response(2, 503));
  ASSERT_EQ(driver.last<AskOccupy>().size(), 1U);
  EXPECT_EQ(driver.last<AskOccupy>()[0].release_trunk, base::TrunkId(20));
  ASSERT_EQ(driver.machine.askedCandidates().size(), 2U);
  auto occupied = Driver::occupied(1);
  occupied.skipped.push_back({0, Reason::kConcurrentLimit, "10 of 10"});
  driver.feed(occupied);
  ASSERT_EQ(driver.last<StartLeg>().size(), 1U);
  EXPECT_EQ(driver.last<StartLeg>()[0].candidate, 2U);
  driver.feed(LegAnswered{3});
  const auto& attempts = driver.machine.record().attempts;
  ASSERT_EQ(attempts.size(), 4U);
  EXPECT_EQ(attempts[0].final_code, 503);
  EXPECT_EQ(attempts[2].end, AttemptEnd::kSkipped);  // REQUIREMENTS 5.5
  EXPECT_EQ(attempts[2].skipped, Reason::kConcurrentLimit);
  EXPECT_EQ(attempts[3].end, AttemptEnd::kAnswered);
  EXPECT_EQ(driver.published(Published::kAttempted), 3);
}

// REQUIREMENTS 5.2: the codes of the stop profile end the hunt and are what the caller gets.
TEST(Hunt, EndsImmediatelyWhenTheCodeIsOfTheStopProfile) {
  for (const int code : {404, 410, 484, 486, 487, 600, 603, 604, 606}) {
    Driver driver;
    driver.toHunting({Driver::candidate(20, 2), Driver::candidate(21, 1)});
    driver.feed(Driver::response(1, code));
    ASSERT_EQ(driver.last<RejectCaller>().size(), 1U) << code;
    EXPECT_EQ(driver.last<RejectCaller>()[0].code, code);
    EXPECT_EQ(driver.machine.record().reason, Reason::kCarrierRejected);
    EXPECT_EQ(driver.machine.record().ended_by, EndedBy::kCarrier);
    EXPECT_EQ(driver.published(Published::kEnded), 1);
    EXPECT_TRUE(driver.machine.isOver());
  }
}

// REQUIREMENTS 5.4: the last carrier's code, but never one that is about us and the carrier.
TEST(Hunt, GivesTheCallerTheLastCarriersCodeWhenAllFailed) {
  struct Case {
    int code;
    int to_caller;
    Reason reason;
  };
  for (const auto& test :
       {Case{500, 500, Reason::kCarrierRejected}, Case{503, 503, Reason::kCarrierRejected}, Case{408, 408, Reason::kCarrierRejected},
        Case{480, 480, Reason::kCarrierRejected}, Case{401, 503, Reason::kNoTargetAvailable}, Case{407, 503, Reason::kNoTargetAvailable},
        Case{302, 503, Reason::kNoTargetAvailable}}) {
    Driver driver;
    driver.toHunting({Driver::candidate(20, 2)});
    driver.feed(Driver::response(1, 500));
    driver.feed(Driver::response(2, test.code));
    ASSERT_EQ(driver.last<RejectCaller>().size(), 1U) << test.code;
    EXPECT_EQ(driver.last<RejectCaller>()[0].code, test.to_caller);
    EXPECT_EQ(driver.machine.record().reason, test.reason);
  }
}

TEST(Hunt, KeepsTheCarriersCodeWhenTheNextCandidatesAreAllBusy) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 1), Driver::candidate(21, 1)});
  driver.feed(Driver::response(1, 480));
  auto refused = Driver::refused(Decision::kOccupy, Reason::kNoTargetAvailable);
  refused.skipped.push_back({0, Reason::kCpsLimit, "5 of 5"});
  driver.feed(refused);
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 480);
  EXPECT_EQ(driver.machine.record().attempts.back().skipped, Reason::kCpsLimit);
}

TEST(Hunt, RejectsAsDecisionUnavailableWhenBillingDoesNotAnswerDuringTheHunt) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 1), Driver::candidate(21, 1)});
  driver.feed(Driver::response(1, 480));
  driver.feed(DecisionFailed{Decision::kOccupy, "timeout"});
  EXPECT_EQ(driver.last<RejectCaller>()[0].reason, Reason::kDecisionUnavailable);
  EXPECT_EQ(driver.published(Published::kEnded), 1);                                // it got as far as a carrier
  EXPECT_EQ(driver.machine.record().asked_trunks, std::vector{base::TrunkId(21)});  // its slot may be taken; that of 20 is in the attempts
}

// REQUIREMENTS 5.2: without a response within the try timeout the hunt goes on, and the silent leg is cancelled.
TEST(Hunt, GoesOnWhenACarrierIsSilent) {
  Driver driver;
  auto quick = Driver::candidate(20, 2);
  quick.try_timeout = milliseconds(700);
  driver.toHunting({quick});
  const auto timers = driver.all<ArmTimer>();
  const auto armed = std::find_if(timers.begin(), timers.end(), [](const ArmTimer& t) { return t.timer == TimerKind::kTry; });
  ASSERT_NE(armed, timers.end());
  EXPECT_EQ(armed->after, milliseconds(700));
  driver.feedAfter(milliseconds(700), TimerFired{TimerKind::kTry});
  EXPECT_EQ(driver.last<CancelLeg>().size(), 1U);
  ASSERT_EQ(driver.last<StartLeg>().size(), 1U);
  driver.feedAfter(milliseconds(700), TimerFired{TimerKind::kTry});
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 504);
  EXPECT_EQ(driver.machine.record().reason, Reason::kTargetTimeout);
  EXPECT_EQ(driver.machine.record().attempts[0].end, AttemptEnd::kNoResponse);
  EXPECT_EQ(driver.machine.record().attempts[0].lasted, milliseconds(700));
  EXPECT_EQ(driver.published(Published::kEnded), 1);
  EXPECT_FALSE(driver.machine.isOver());  // two cancelled legs are still out
  driver.feedAfter(milliseconds(35300), TimerFired{TimerKind::kLinger});
  EXPECT_EQ(driver.last<DropLeg>().size(), 1U);
  driver.feedAfter(seconds(1), TimerFired{TimerKind::kLinger});
  EXPECT_TRUE(driver.machine.isOver());
}

TEST(Hunt, EndsALateAnswerOfASilentLegAndKeepsTheCurrentOne) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 2)});
  driver.feedAfter(seconds(4), TimerFired{TimerKind::kTry});
  driver.feed(LegAnswered{1});
  EXPECT_EQ(driver.last<AckLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeLeg>().size(), 1U);
  EXPECT_TRUE(driver.last<AnswerCaller>().empty());
  driver.feed(LegAnswered{2});
  ASSERT_EQ(driver.last<AnswerCaller>().size(), 1U);
  EXPECT_EQ(driver.last<AnswerCaller>()[0].leg, 2U);
}

TEST(Hunt, GoesOnWhenAnEndpointIsUnreachable) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 1), Driver::candidate(21, 1)});
  driver.feed(LegFailed{1, LegFailure::kTransportError, 503});
  EXPECT_EQ(driver.last<AskOccupy>().size(), 1U);
  driver.feed(Driver::occupied(0));
  driver.feed(LegFailed{2, LegFailure::kTransportError, 503});
  EXPECT_EQ(driver.last<RejectCaller>()[0].reason, Reason::kNoTargetAvailable);
}

// REQUIREMENTS 6.3: 180 and 183 with and without SDP; 100 stays between us and the carrier.
TEST(Ringing, RelaysProvisionalsAndStampsTheFirst) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 1)});
  driver.feedAfter(milliseconds(50), LegProvisional{1, 100, false});
  EXPECT_TRUE(driver.last<RelayProvisional>().empty());
  EXPECT_EQ(driver.machine.phase(), Phase::kHunting);
  driver.feedAfter(milliseconds(250), LegProvisional{1, 183, true});
  ASSERT_EQ(driver.last<RelayProvisional>().size(), 1U);
  EXPECT_TRUE(driver.last<RelayProvisional>()[0].with_sdp);
  driver.feedAfter(milliseconds(100), LegProvisional{1, 180, false});
  EXPECT_EQ(driver.last<RelayProvisional>()[0].code, 180);
  EXPECT_EQ(driver.published(Published::kRinging), 1);
  EXPECT_EQ(driver.machine.record().pdd, milliseconds(300));
  EXPECT_TRUE(driver.machine.hasEarlyMedia());
}

TEST(Ringing, IsNotEndedByTheTryTimerWhenOnly100Came) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 2)});
  driver.feed(LegProvisional{1, 100, false});
  driver.feedAfter(seconds(4), TimerFired{TimerKind::kTry});
  EXPECT_TRUE(driver.actions.empty());
}

// REQUIREMENTS 5.3: the ringing timeout ends the hunt, even when other endpoints are left.
TEST(Ringing, EndsTheHuntWhenItsTimeIsOver) {
  Driver driver;
  driver.toRinging({Driver::candidate(20, 2), Driver::candidate(21, 1)});
  driver.feedAfter(seconds(90), TimerFired{TimerKind::kRinging});
  EXPECT_EQ(driver.last<CancelLeg>().size(), 1U);
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 480);
  EXPECT_EQ(driver.machine.record().reason, Reason::kSetupTimeout);
  EXPECT_EQ(driver.machine.record().attempts[0].end, AttemptEnd::kRingingTimeout);
  EXPECT_EQ(driver.published(Published::kEnded), 1);
  driver.feed(Driver::response(1, 487));
  EXPECT_TRUE(driver.machine.isOver());
  EXPECT_EQ(driver.finals(), 1);
}

TEST(Ringing, GoesOnAfterEarlyMediaUnlessTheProfileStops) {
  for (const bool stop : {false, true}) {
    Policy policy;
    policy.stop_after_early_media = stop;
    Driver driver(policy);
    driver.toHunting({Driver::candidate(20, 2)});
    driver.feed(LegProvisional{1, 183, true});
    driver.feed(Driver::response(1, 503));
    EXPECT_EQ(driver.last<StartLeg>().size(), stop ? 0U : 1U);
    EXPECT_EQ(driver.last<RejectCaller>().size(), stop ? 1U : 0U);
  }
}

// REQUIREMENTS 6.3: a CANCEL crosses a 200: the caller gets 487, the carrier gets ACK and BYE, and nobody pays.
TEST(Cancel, CrossingTheAnswerEndsTheCarriersLegWithoutCharge) {
  Driver driver;
  driver.toRinging({Driver::candidate(20, 1)});
  driver.feed(CallerCancelled{});
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 487);
  EXPECT_EQ(driver.last<CancelLeg>().size(), 1U);
  driver.feed(LegAnswered{1});
  EXPECT_EQ(driver.last<AckLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeLeg>().size(), 1U);
  EXPECT_TRUE(driver.all<AnswerCaller>().empty());
  EXPECT_EQ(driver.machine.record().talked.count(), 0);
  EXPECT_EQ(driver.published(Published::kAnswered), 0);
  EXPECT_EQ(driver.finals(), 1);
  EXPECT_TRUE(driver.machine.isOver());
}

TEST(Cancel, WaitsForAPendingOccupyAndReleasesTheSlot) {
  Driver driver;
  driver.toHunting({Driver::candidate(20, 1), Driver::candidate(21, 1)});
  driver.feed(Driver::response(1, 503));
  driver.feed(CallerCancelled{});
  EXPECT_EQ(driver.finals(), 0);
  driver.feed(Driver::occupied(0));
  EXPECT_TRUE(driver.last<StartLeg>().empty());
  EXPECT_EQ(driver.machine.record().carrier_trunk, base::TrunkId(21));
  EXPECT_EQ(driver.published(Published::kEnded), 1);
}

TEST(Hangup, ByTheOperatorWhileRingingNamesTheUser) {
  Driver driver;
  driver.toRinging({Driver::candidate(20, 1)});
  driver.feed(OperatorHangup{"anna"});
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 480);
  EXPECT_EQ(driver.last<CancelLeg>().size(), 1U);
  EXPECT_EQ(driver.machine.record().ended_by_user, "anna");
  EXPECT_EQ(driver.machine.record().reason, Reason::kHangupByOperator);
}

}  // namespace
}  // namespace tollgate::call
