// From the INVITE to the first leg: what is asked, what is refused, what the record says.
#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"

namespace tollgate::call {
namespace {

using base::Reason;
using std::chrono::milliseconds;

TEST(CallSetup, AsksEachStageInTurnAndStartsALegWithTheNumbersForTheCarrier) {
  Driver driver;
  driver.feed(Driver::invited());
  EXPECT_EQ(driver.last<AskAuthorize>().size(), 1U);
  driver.feed(Driver::authorized());
  EXPECT_EQ(driver.last<AskRoute>().size(), 1U);
  auto candidate = Driver::candidate(20, 1);
  candidate.unified_caller = "37499999999";  // REQUIREMENTS 2.12
  candidate.called_prefix = "77";
  driver.feed(Driver::routed({candidate}));
  EXPECT_EQ(driver.last<AskReserve>().size(), 1U);
  EXPECT_TRUE(driver.all<StartLeg>().empty());  // REQUIREMENTS 9.1: money before the first egress INVITE
  driver.feed(Driver::reserved());
  ASSERT_EQ(driver.last<StartLeg>().size(), 1U);
  const auto& record = driver.machine.record();
  EXPECT_EQ(record.caller_out, "37499999999");
  EXPECT_EQ(record.called_out, "77447700900123");
  EXPECT_EQ(record.called_rated, "447700900123");  // REQUIREMENTS 2.5: the prefix is stripped
  EXPECT_EQ(record.carrier_trunk, base::TrunkId(20));
  EXPECT_EQ(driver.published(Published::kStarted), 1);
  EXPECT_EQ(driver.published(Published::kRouted), 1);
}

TEST(CallSetup, RefusesImmediatelyWhenTheOwnerFoundAReason) {
  Driver driver;
  auto invited = Driver::invited();
  invited.refuse = Reason::kTooManyHops;  // REQUIREMENTS 4.5
  invited.refuse_detail = "Max-Forwards 0";
  driver.feed(invited);
  ASSERT_EQ(driver.last<RejectCaller>().size(), 1U);
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 483);
  EXPECT_EQ(driver.published(Published::kRejected), 1);
  EXPECT_TRUE(driver.machine.isOver());
  EXPECT_EQ(driver.machine.record().trace.back().found, "Max-Forwards 0");
}

// REQUIREMENTS 7: the code and cause of each refusal come from the reject map, also an overridden one.
TEST(CallSetup, RejectsWithTheCodeOfTheRejectMapWhenAStageRefuses) {
  struct Case {
    Decision decision;
    Reason reason;
    int code;
    int cause;
  };
  for (const auto& test :
       {Case{Decision::kAuthorize, Reason::kTechPrefixMismatch, 403, 21}, Case{Decision::kRoute, Reason::kNoRoute, 480, 20},
        Case{Decision::kReserve, Reason::kNoCredit, 402, 21}, Case{Decision::kReserve, Reason::kCpsLimit, 503, 42},
        Case{Decision::kReserve, Reason::kUnspecified, 503, 41}, Case{Decision::kReserve, Reason::kNormal, 503, 41}}) {
    Policy policy;
    policy.reject_map = base::RejectMap::parse("no_route=480/20").value();
    Driver driver(policy);
    driver.toIdentifying();
    if (test.decision != Decision::kAuthorize) {
      driver.feed(Driver::authorized());
    }
    if (test.decision == Decision::kReserve) {
      driver.feed(Driver::routed({Driver::candidate(20, 1)}));
    }
    driver.feed(Driver::refused(test.decision, test.reason));
    ASSERT_EQ(driver.last<RejectCaller>().size(), 1U);
    EXPECT_EQ(driver.last<RejectCaller>()[0].code, test.code);
    EXPECT_EQ(driver.last<RejectCaller>()[0].q850_cause, test.cause);
    EXPECT_EQ(driver.machine.record().final_code, test.code);
    EXPECT_EQ(driver.published(Published::kRejected), 1);
  }
}

TEST(CallSetup, NamesCustomerAndTrunkInTheRecordWhenAuthRefusedButKnewThem) {
  Driver driver;
  driver.toIdentifying();
  auto refused = Driver::refused(Decision::kAuthorize, Reason::kCustomerBlocked);  // REQUIREMENTS 1.7
  refused.identified = Driver::authorized().identified;
  driver.feed(refused);
  EXPECT_EQ(driver.machine.record().trunk, base::TrunkId(10));
  EXPECT_EQ(driver.machine.record().customer, base::CustomerId(1));
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 403);
}

// ARCHITECTURE "Failure policy": no answer in time is decision_unavailable, never a free call.
TEST(CallSetup, RejectsAsDecisionUnavailableWhenAStageDoesNotAnswer) {
  for (const auto decision : {Decision::kAuthorize, Decision::kRoute, Decision::kReserve}) {
    Driver driver;
    driver.toIdentifying();
    if (decision != Decision::kAuthorize) {
      driver.feed(Driver::authorized());
    }
    if (decision == Decision::kReserve) {
      driver.feed(Driver::routed({Driver::candidate(20, 1)}));
    }
    driver.feed(DecisionFailed{decision, "no answer in 500 ms"});
    ASSERT_EQ(driver.last<RejectCaller>().size(), 1U);
    EXPECT_EQ(driver.last<RejectCaller>()[0].reason, Reason::kDecisionUnavailable);
    EXPECT_EQ(driver.last<RejectCaller>()[0].code, 503);
    EXPECT_TRUE(driver.all<StartLeg>().empty());
  }
}

// REQUIREMENTS 6.4: no codec left is 488, decided before routing and billing run.
TEST(CallSetup, RejectsWithoutAskingRoutingWhenNoCodecIsLeft) {
  Driver driver;
  driver.toIdentifying();
  auto authorized = Driver::authorized();
  authorized.offer_refused = Reason::kNoCommonCodec;
  driver.feed(authorized);
  EXPECT_TRUE(driver.all<AskRoute>().empty());
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 488);
  EXPECT_EQ(driver.machine.record().trunk, base::TrunkId(10));
}

TEST(CallSetup, SkipsCandidatesThatCannotTakeTheOfferAndReservesForTheOthers) {
  Driver driver;
  driver.toRouting();
  auto narrow = Driver::candidate(20, 1);
  narrow.unusable = Reason::kNoCommonCodec;
  auto routed = Driver::routed({narrow, Driver::candidate(21, 0), Driver::candidate(22, 1), Driver::candidate(23, 1)});
  routed.by_load = 3;
  driver.feed(routed);
  ASSERT_EQ(driver.machine.askedCandidates().size(), 2U);
  EXPECT_EQ(driver.machine.askedCandidates()[0], 2U);
  EXPECT_EQ(driver.machine.askedByLoad(), 1U);  // of the three taken by load one is left
  // REQUIREMENTS 5.5: why a candidate was skipped is recorded.
  ASSERT_EQ(driver.machine.record().attempts.size(), 2U);
  EXPECT_EQ(driver.machine.record().attempts[0].skipped, Reason::kNoCommonCodec);
  EXPECT_EQ(driver.machine.record().attempts[1].skipped, Reason::kNoTargetAvailable);
}

TEST(CallSetup, RejectsWith488WhenNoCandidateCanTakeTheOffer) {
  Driver driver;
  driver.toRouting();
  auto narrow = Driver::candidate(20, 1);
  narrow.unusable = Reason::kNoCommonCodec;
  driver.feed(Driver::routed({narrow, narrow}));
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 488);
}

// REQUIREMENTS 6.3: CANCEL at any moment. While billing is taking the hold, the record waits, so that it gives back what was taken.
TEST(CallSetup, WaitsWithTheRecordForBillingsAnswerWhenCancelledWhileReserving) {
  Driver driver;
  driver.toReserving({Driver::candidate(20, 1)});
  driver.feed(CallerCancelled{});
  EXPECT_EQ(driver.last<RejectCaller>()[0].code, 487);
  EXPECT_EQ(driver.finals(), 0);
  EXPECT_FALSE(driver.machine.isOver());
  driver.feed(Driver::reserved());
  EXPECT_EQ(driver.published(Published::kRejected), 1);
  EXPECT_TRUE(driver.all<StartLeg>().empty());
  EXPECT_EQ(driver.machine.record().carrier_trunk, base::TrunkId(20));  // its slot is to be given back
  EXPECT_EQ(driver.machine.record().reason, Reason::kCallerCancelled);
  EXPECT_TRUE(driver.machine.isOver());
}

TEST(CallSetup, PublishesTheRecordWhenBillingFailsAfterTheCancel) {
  Driver driver;
  driver.toReserving({Driver::candidate(20, 1)});
  driver.feed(CallerCancelled{});
  driver.feed(DecisionFailed{Decision::kReserve, "timeout"});
  EXPECT_EQ(driver.finals(), 1);
  EXPECT_EQ(driver.all<RejectCaller>().size(), 1U);
  EXPECT_EQ(driver.machine.record().asked_trunks, std::vector{base::TrunkId(20)});
}

// REQUIREMENTS 9.5: billing may have taken a slot of any of them, and only the record can say so.
TEST(CallSetup, NamesAllTrunksItAskedForWhenTheReserveEndsUndecided) {
  Driver driver;
  auto narrow = Driver::candidate(21, 1);
  narrow.unusable = Reason::kNoCommonCodec;
  driver.toReserving({Driver::candidate(20, 1), narrow, Driver::candidate(22, 1)});
  EXPECT_TRUE(driver.machine.record().asked_trunks.empty());
  driver.feed(DecisionFailed{Decision::kReserve, "timeout"});
  EXPECT_EQ(driver.finals(), 1);
  EXPECT_EQ(driver.machine.record().asked_trunks, (std::vector{base::TrunkId(20), base::TrunkId(22)}));
}

TEST(CallSetup, RejectsWhenBillingNamesACandidateThatWasNotAsked) {
  Driver driver;
  driver.toReserving({Driver::candidate(20, 1)});
  driver.feed(Driver::reserved(60, 7));
  EXPECT_EQ(driver.last<RejectCaller>()[0].reason, Reason::kDecisionUnavailable);
  EXPECT_EQ(driver.finals(), 1);
  EXPECT_EQ(driver.machine.record().asked_trunks, std::vector{base::TrunkId(20)});
}

// REQUIREMENTS 9.5: the hold is kept alive while the call is still being set up.
TEST(CallSetup, SendsHeartbeatsWhileRinging) {
  Driver driver;
  driver.toRinging({Driver::candidate(20, 1)});
  driver.feedAfter(milliseconds(20000), TimerFired{TimerKind::kExtend});
  ASSERT_EQ(driver.last<AskExtend>().size(), 1U);
  EXPECT_EQ(driver.last<AskExtend>()[0].want_paid_seconds, 0U);
  EXPECT_EQ(driver.last<AskExtend>()[0].confirmed_seconds, 0U);
}

}  // namespace
}  // namespace tollgate::call
