#include "services/ingress/intake/intake.hpp"

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

using base::Reason;

sofia::InviteIn invite(std::string user = "55447700900123") {
  sofia::InviteIn request;
  request.call_id = "call-1";
  request.scheme = "sip";
  request.called_user = std::move(user);
  request.caller_user = "37410000001";
  request.max_forwards = 70;
  request.source.address = {192, 0, 2, 7};
  request.source.port = 5080;
  return request;
}

TEST(Intake, TakesAnOrdinaryInvite) {
  const auto invited = checkInvite(invite(), {});
  EXPECT_EQ(invited.refuse, Reason::kUnspecified);
  EXPECT_EQ(invited.called, "55447700900123");
  EXPECT_EQ(invited.source_address, "192.0.2.7");
  EXPECT_EQ(invited.source_port, 5080);
  EXPECT_FALSE(invited.has_offer);
}

TEST(Intake, TakesAPlusAndSeparators) {
  EXPECT_EQ(checkInvite(invite("+44-7700.900123"), {}).refuse, Reason::kUnspecified);
}

TEST(Intake, RefusesWhatIsNoCall) {
  struct Case {
    const char* user;
    Reason reason;
  };
  for (const auto& test : {Case{"", Reason::kMalformed}, Case{"alice", Reason::kAddressIncomplete}, Case{"+", Reason::kAddressIncomplete},
                           Case{"123456789012345678901234567890123456789", Reason::kAddressIncomplete},
                           Case{"447700900123\xff", Reason::kAddressIncomplete}}) {
    EXPECT_EQ(checkInvite(invite(test.user), {}).refuse, test.reason) << test.user;
  }
  auto odd = invite();
  odd.scheme = "http";
  EXPECT_EQ(checkInvite(odd, {}).refuse, Reason::kMalformed);
}

// REQUIREMENTS 4.5: loops end.
TEST(Intake, RefusesLoopsAndTooManyHops) {
  auto tired = invite();
  tired.max_forwards = 0;
  EXPECT_EQ(checkInvite(tired, {}).refuse, Reason::kTooManyHops);
  auto looped = invite();
  looped.own_hops = 1;
  EXPECT_EQ(checkInvite(looped, {}).refuse, Reason::kLoopDetected);
}

TEST(Intake, CountsMaxForwardsDown) {
  EXPECT_EQ(nextMaxForwards(70), 69);
  EXPECT_EQ(nextMaxForwards(1), 0);
  EXPECT_EQ(nextMaxForwards(-1), 70);
  EXPECT_EQ(nextMaxForwards(255), 70);
}

// REQUIREMENTS 6.9.
TEST(Intake, RefusesEverythingWhileDrainingAndWhenFull) {
  EXPECT_EQ(checkInvite(invite(), {.draining = true, .full = true}).refuse, Reason::kDraining);
  EXPECT_EQ(checkInvite(invite(), {.draining = false, .full = true}).refuse, Reason::kOverloaded);
}

TEST(Intake, KeepsRecordsReadableWhateverASenderWrote) {
  auto odd = invite("44\x80\x01");
  odd.call_id = std::string(400, 'x') + "\n";
  odd.caller_user = "bob\xc3\x28";
  const auto invited = checkInvite(odd, {});
  EXPECT_EQ(invited.called, "44??");
  EXPECT_EQ(invited.sip_call_id.size(), 255U);
  EXPECT_EQ(invited.caller, "bob?(");
}

// Section 7: every refusal carries the Reason header; Retry-After where the table says so.
TEST(Intake, MakesRefusalsWithReasonAndRetryAfter) {
  const auto busy = refusal(503, 42, Reason::kDraining, 7);
  EXPECT_EQ(busy.status, 503);
  ASSERT_EQ(busy.headers.size(), 1U);
  EXPECT_EQ(busy.headers[0].name, "Reason");
  EXPECT_EQ(busy.headers[0].value, "Q.850;cause=42;text=\"draining\"");
  EXPECT_EQ(busy.retry_after_seconds, 7);
  const auto poor = refusal(402, 21, Reason::kNoCredit, 7);
  EXPECT_EQ(poor.retry_after_seconds, 0);
  EXPECT_EQ(poor.phrase, "Payment Required");
  EXPECT_TRUE(refusal(486, 17, Reason::kCarrierRejected, 7).phrase.empty());
}

TEST(Intake, AnswersOtherRequestsByTheirMethod) {
  EXPECT_EQ(inDialogReply(sofia::Method::kInvite).status, 488);
  EXPECT_EQ(inDialogReply(sofia::Method::kUpdate).status, 488);
  EXPECT_EQ(inDialogReply(sofia::Method::kInfo).status, 200);
  EXPECT_EQ(inDialogReply(sofia::Method::kRefer).status, 603);
  EXPECT_EQ(inDialogReply(sofia::Method::kOther).status, 405);
  EXPECT_EQ(outsideReply(sofia::Method::kOptions, false, true, 3).status, 200);
  EXPECT_EQ(outsideReply(sofia::Method::kOptions, false, false, 3).status, 503);
  EXPECT_EQ(outsideReply(sofia::Method::kOptions, false, false, 3).retry_after_seconds, 3);
  EXPECT_EQ(outsideReply(sofia::Method::kOther, false, true, 3).status, 405);
  EXPECT_EQ(outsideReply(sofia::Method::kBye, true, true, 3).status, 481);
}

}  // namespace
}  // namespace tollgate::ingress
