// Talking: ACK, BYE, the paid time (REQUIREMENTS 6.6, 6.8, 9.2).
#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"

namespace tollgate::call {
namespace {

using base::Reason;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::chrono::milliseconds armedFor(const Driver& driver, TimerKind timer) {
  const auto timers = driver.all<ArmTimer>();
  const auto found = std::find_if(timers.rbegin(), timers.rend(), [&](const ArmTimer& t) { return t.timer == timer; });
  return found == timers.rend() ? milliseconds(-1) : found->after;
}

TEST(Talk, AcknowledgesTheCarrierImmediatelyWhenTheInviteHadAnOffer) {
  Driver driver;
  driver.toTalking();
  EXPECT_EQ(driver.all<AckLeg>().size(), 1U);
  EXPECT_EQ(driver.published(Published::kAnswered), 1);
  driver.feed(CallerAcked{});
  EXPECT_EQ(driver.all<AckLeg>().size(), 1U);
}

// Offerless INVITE: the caller's ACK carries the answer, so the carrier's ACK waits for it.
TEST(Talk, AcknowledgesTheCarrierWithTheCallersAckWhenTheOfferWasDelayed) {
  Driver driver;
  driver.feed(Driver::invited(false));
  driver.feed(Driver::authorized());
  driver.feed(Driver::routed({Driver::candidate(20, 1)}));
  driver.feed(Driver::reserved());
  driver.feed(LegAnswered{1});
  EXPECT_TRUE(driver.all<AckLeg>().empty());
  driver.feed(CallerAcked{});
  EXPECT_EQ(driver.all<AckLeg>().size(), 1U);
}

TEST(Talk, AcknowledgesBeforeByeWhenTheDelayedAckNeverCame) {
  Driver driver;
  driver.feed(Driver::invited(false));
  driver.feed(Driver::authorized());
  driver.feed(Driver::routed({Driver::candidate(20, 1)}));
  driver.feed(Driver::reserved());
  driver.feed(LegAnswered{1});
  driver.feedAfter(seconds(32), CallerNoAck{});
  EXPECT_EQ(driver.last<AckLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeCaller>().size(), 1U);
  EXPECT_EQ(driver.machine.record().reason, Reason::kNoAck);
}

// REQUIREMENTS 6.6: BYE from either side ends both.
TEST(Talk, EndsBothSidesWhenEitherSaysBye) {
  Driver caller;
  caller.toTalking();
  caller.feedAfter(seconds(10), PartyBye{Side::kCaller, 0});
  EXPECT_EQ(caller.last<ByeLeg>().size(), 1U);
  EXPECT_TRUE(caller.last<ByeCaller>().empty());
  EXPECT_EQ(caller.machine.record().ended_by, EndedBy::kCaller);
  EXPECT_EQ(caller.machine.record().talked, seconds(10));
  EXPECT_EQ(caller.machine.record().final_code, 200);

  Driver carrier;
  carrier.toTalking();
  carrier.feedAfter(milliseconds(10500), PartyBye{Side::kCarrier, 1});
  EXPECT_TRUE(carrier.last<ByeLeg>().empty());
  EXPECT_EQ(carrier.last<ByeCaller>().size(), 1U);
  EXPECT_EQ(carrier.machine.record().ended_by, EndedBy::kCarrier);
  EXPECT_EQ(carrier.machine.record().talked, milliseconds(10500));
  EXPECT_EQ(carrier.published(Published::kEnded), 1);
  EXPECT_TRUE(carrier.machine.isOver());
}

TEST(Talk, IgnoresTheOtherSidesByeWhenBothCross) {
  Driver driver;
  driver.toTalking();
  driver.feed(PartyBye{Side::kCaller, 0});
  driver.feed(PartyBye{Side::kCarrier, 1});
  EXPECT_EQ(driver.finals(), 1);
  EXPECT_TRUE(driver.actions.empty());
}

// REQUIREMENTS 9.2: more time is asked for before the paid time runs out; the wanted time is a total.
TEST(Money, AsksForMoreBeforeThePaidTimeIsOver) {
  Driver driver;
  driver.toTalking(60);
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), seconds(60));
  driver.feedAfter(milliseconds(18800), TimerFired{TimerKind::kExtend});  // 20 s after the reservation: a heartbeat
  ASSERT_EQ(driver.last<AskExtend>().size(), 1U);
  EXPECT_EQ(driver.last<AskExtend>()[0].want_paid_seconds, 0U);
  EXPECT_EQ(driver.last<AskExtend>()[0].confirmed_seconds, 18U);
  driver.feed(Extended{60, 600'000, false});
  EXPECT_EQ(armedFor(driver, TimerKind::kExtend), seconds(20));
  driver.feedAfter(milliseconds(21300), TimerFired{TimerKind::kExtend});
  ASSERT_EQ(driver.last<AskExtend>().size(), 1U);
  EXPECT_EQ(driver.last<AskExtend>()[0].want_paid_seconds, 120U);
  EXPECT_EQ(driver.last<AskExtend>()[0].confirmed_seconds, 40U);
  driver.feed(Extended{120, 1'200'000, false});
  EXPECT_EQ(driver.machine.record().paid_seconds, 120U);
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), milliseconds(120000 - 40100));
}

// REQUIREMENTS 9.2: refused extension: the call ends on both sides exactly when the paid time is over.
TEST(Money, EndsExactlyAtThePaidEndWhenTheExtensionIsRefused) {
  Driver driver;
  driver.toTalking(9);
  EXPECT_EQ(armedFor(driver, TimerKind::kExtend), seconds(6));  // a third of the quantum before the end
  driver.feedAfter(seconds(6), TimerFired{TimerKind::kExtend});
  EXPECT_EQ(driver.last<AskExtend>()[0].want_paid_seconds, 18U);
  driver.feed(Extended{11, 110'000, true});  // all that was left
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), seconds(5));
  driver.feedAfter(milliseconds(5007), TimerFired{TimerKind::kPaidEnd});
  EXPECT_EQ(driver.last<ByeLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeCaller>().size(), 1U);
  const auto& record = driver.machine.record();
  EXPECT_EQ(record.reason, Reason::kCreditExhausted);
  EXPECT_EQ(record.ended_by, EndedBy::kTollgate);
  EXPECT_EQ(record.talked, seconds(11));  // the 7 ms of the timer are not charged
  EXPECT_EQ(record.q850_cause, 16);
}

// REQUIREMENTS 9.2: a payment in mid-call saves the call.
TEST(Money, AsksAgainWithEachHeartbeatAfterARefusal) {
  Driver driver;
  driver.toTalking(45);
  driver.feedAfter(seconds(31), TimerFired{TimerKind::kExtend});
  EXPECT_FALSE(driver.last<AskExtend>().at(0).was_refused);
  driver.feed(Extended{60, 1, true});
  EXPECT_EQ(armedFor(driver, TimerKind::kExtend), seconds(20));
  driver.feedAfter(seconds(20), TimerFired{TimerKind::kExtend});
  ASSERT_EQ(driver.last<AskExtend>().size(), 1U);
  EXPECT_EQ(driver.last<AskExtend>()[0].want_paid_seconds, 105U);
  EXPECT_TRUE(driver.last<AskExtend>()[0].was_refused);
  EXPECT_EQ(driver.last<AskExtend>()[0].sequence, 2U);
  driver.feed(Extended{105, 1, false});
  driver.feedAfter(seconds(20), TimerFired{TimerKind::kPaidEnd});  // the old end
  EXPECT_EQ(driver.finals(), 0);
}

// REQUIREMENTS 9.1: a long window may be made shorter, never beyond what has been talked.
TEST(Money, GivesBackPaidTimeThatIsNotTalkedYet) {
  Driver driver;
  driver.toTalking(1800);
  driver.feedAfter(milliseconds(18800), TimerFired{TimerKind::kExtend});
  driver.feed(Extended{80, 1, false});
  EXPECT_EQ(driver.machine.record().paid_seconds, 80U);
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), milliseconds(80000 - 18800));
  driver.feedAfter(milliseconds(20000), TimerFired{TimerKind::kExtend});
  driver.feed(Extended{1, 1, false});
  EXPECT_EQ(driver.machine.record().paid_seconds, 39U);  // 38.8 s are talked
}

TEST(Money, RetriesEachSecondWhileBillingDoesNotAnswerAndStillEndsAtThePaidEnd) {
  Driver driver;
  driver.toTalking(9);
  driver.feedAfter(seconds(6), TimerFired{TimerKind::kExtend});
  driver.feed(DecisionFailed{Decision::kExtend, "timeout"});
  EXPECT_EQ(armedFor(driver, TimerKind::kExtend), seconds(1));
  driver.feedAfter(seconds(1), TimerFired{TimerKind::kExtend});
  EXPECT_EQ(driver.last<AskExtend>().size(), 1U);
  driver.feedAfter(seconds(2), TimerFired{TimerKind::kPaidEnd});
  EXPECT_EQ(driver.machine.record().reason, Reason::kDecisionUnavailable);  // nobody said that the credit is exhausted
  EXPECT_EQ(driver.machine.record().talked, seconds(9));
  driver.feed(Extended{100, 1, false});  // too late
  EXPECT_EQ(driver.machine.record().paid_seconds, 9U);
}

// Charge never exceeds the hold, however late a BYE is seen.
TEST(Money, ClampsTheTalkedTimeWhenAByeComesAfterThePaidEnd) {
  Driver driver;
  driver.toTalking(9);
  driver.feedAfter(seconds(30), PartyBye{Side::kCaller, 0});
  EXPECT_EQ(driver.machine.record().talked, seconds(9));
}

TEST(Money, DoesNotEndEarlyWhenTheTimerDoes) {
  Driver driver;
  driver.toTalking(9);
  driver.feedAfter(milliseconds(8990), TimerFired{TimerKind::kPaidEnd});
  EXPECT_EQ(driver.machine.phase(), Phase::kTalking);
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), milliseconds(10));
}

TEST(Money, TakesAPaidTimeOfYearsWithoutOverflow) {
  Driver driver;
  driver.toTalking(4'294'967'295U);
  EXPECT_EQ(armedFor(driver, TimerKind::kPaidEnd), std::chrono::hours(24));
  driver.feedAfter(seconds(5), PartyBye{Side::kCaller, 0});
  EXPECT_EQ(driver.machine.record().talked, seconds(5));
}

// REQUIREMENTS 6.8: the record says who hung up.
TEST(Hangup, ByTheOperatorEndsBothSidesAndNamesTheUser) {
  Driver driver;
  driver.toTalking();
  driver.feedAfter(seconds(3), OperatorHangup{"anna"});
  EXPECT_EQ(driver.last<ByeLeg>().size(), 1U);
  EXPECT_EQ(driver.last<ByeCaller>().size(), 1U);
  EXPECT_EQ(driver.machine.record().ended_by, EndedBy::kOperator);
  EXPECT_EQ(driver.machine.record().ended_by_user, "anna");
  EXPECT_EQ(driver.machine.record().reason, Reason::kHangupByOperator);
}

// REQUIREMENTS 6.7: the overall maximum, when the deployment sets one.
TEST(Hangup, ByTheMaximumDuration) {
  Policy policy;
  policy.max_duration = seconds(30);
  Driver driver(policy);
  driver.toTalking(3600);
  driver.feedAfter(seconds(30), TimerFired{TimerKind::kMaxDuration});
  EXPECT_EQ(driver.machine.record().reason, Reason::kMaxDuration);
}

}  // namespace
}  // namespace tollgate::call
