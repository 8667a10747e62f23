// The ingress between a caller and carriers over real UDP and a real bus.
#include "tests/component/ingress_world.hpp"

namespace tollgate::component {
namespace {

using IngressTest = IngressWorld;
constexpr const char* kNumber = "55447700900123";

// REQUIREMENTS 6.1, 6.3, 10.1, 10.2: the whole of an answered call.
TEST_F(IngressTest, CarriesAnAnsweredCallAndLeavesItsRecord) {
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("alice", "18 8 0 101")));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 100"), "CSeq"), "1 INVITE");
  const auto invite = carrier_.expect("INVITE");
  EXPECT_TRUE(invite.starts_with("INVITE sip:447700900123@127.0.0.1")) << invite;  // REQUIREMENTS 2.5: stripped
  EXPECT_NE(headerOf(invite, "From").find("37410000001"), std::string::npos);
  EXPECT_EQ(headerOf(invite, "Max-Forwards"), "69");
  EXPECT_EQ(headerOf(invite, "Via").find(std::to_string(caller_.port())), std::string::npos);
  EXPECT_EQ(invite.find("alice"), std::string::npos);
  EXPECT_NE(headerOf(invite, "Call-ID"), "c" + std::to_string(caller_.port()) + "-1");
  EXPECT_NE(invite.find("m=audio 40000 RTP/AVP 8 0 101"), std::string::npos) << invite;  // REQUIREMENTS 6.4

  carrier_.send(carrier_.response(invite, 183, sdp("carrier", "8")));
  const auto progress = caller_.expect("SIP/2.0 183");
  EXPECT_NE(bodyOf(progress).find("m=audio"), std::string::npos);
  carrier_.send(carrier_.response(invite, 180));
  (void)caller_.expect("SIP/2.0 180");
  carrier_.send(carrier_.response(invite, 200, sdp("carrier", "8")));
  const auto ok = caller_.expect("SIP/2.0 200");
  EXPECT_EQ(ok.find("carrier"), std::string::npos) << ok;
  EXPECT_EQ(ok.find("10.1.2.3"), std::string::npos);
  EXPECT_EQ(SipPeer::toTag(ok), SipPeer::toTag(progress));
  (void)carrier_.expect("ACK");
  caller_.send(caller_.request("ACK", kNumber, 1, SipPeer::toTag(ok), ""));
  hangUp({ok, invite});

  const auto ended = record<call::v1::CallEnded>("ended").record();
  EXPECT_EQ(ended.reason(), common::v1::REASON_NORMAL);
  EXPECT_EQ(ended.ended_by(), call::v1::ENDED_BY_CALLER);
  EXPECT_EQ(ended.final_code(), 200U);
  EXPECT_EQ(ended.carrier_trunk_id(), 20);
  EXPECT_EQ(ended.ingress_sip_call_id(), "c" + std::to_string(caller_.port()) + "-1");
  EXPECT_EQ(ended.egress_sip_call_id(), headerOf(invite, "Call-ID"));
  EXPECT_EQ(ended.called_out(), "447700900123");
  EXPECT_TRUE(ended.has_answered_at());
  EXPECT_EQ(record<call::v1::CallAnswered>("answered").record().paid_seconds(), 60U);
  for (const auto* verb : {"started", "routed", "attempted", "ringing"}) {
    EXPECT_EQ(count(verb), 1) << verb;
  }
  EXPECT_EQ(count("ended"), 1);
}

// REQUIREMENTS 2.5, 7: refused before routing and billing run, with the Reason header and a record.
TEST_F(IngressTest, RejectsWhatAuthRefusesAndAsksNobodyElse) {
  answer(on_authorize_, [](const auto&) {
    auth::v1::AuthorizeReply reply;
    reply.mutable_refusal()->set_reason(common::v1::REASON_TECH_PREFIX_MISMATCH);
    reply.mutable_identified()->set_trunk_id(10);
    return reply;
  });
  caller_.send(caller_.request("INVITE", "66447700900123", 1, "", sdp("caller")));
  const auto refusal = caller_.expect("SIP/2.0 403");
  EXPECT_EQ(headerOf(refusal, "Reason"), "Q.850;cause=21;text=\"tech_prefix_mismatch\"");
  const auto rejected = record<call::v1::CallRejected>("rejected").record();
  EXPECT_EQ(rejected.reason(), common::v1::REASON_TECH_PREFIX_MISMATCH);
  EXPECT_EQ(rejected.trunk_id(), 10);
  EXPECT_EQ(routed_, 0);
  EXPECT_EQ(reserved_count_, 0);
}

// REQUIREMENTS 5.1, 5.2, 5.5: a failing carrier's call goes to the next trunk; a busy one ends the hunt.
TEST_F(IngressTest, HuntsFromAFailingCarrierToTheNextTrunk) {
  answer(on_route_, [this](const auto&) {
    routing::v1::RouteReply reply;
    addCandidate(reply, 20, {&carrier_});
    addCandidate(reply, 21, {&second_});
    reply.mutable_routed()->mutable_candidates(1)->set_unified_caller("37499999999");
    reply.mutable_routed()->mutable_candidates(1)->set_request_uri_parameter("user=phone");
    return reply;
  });
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  carrier_.send(carrier_.response(carrier_.expect("INVITE"), 503));
  (void)carrier_.expect("ACK");
  const auto invite = second_.expect("INVITE");
  EXPECT_NE(invite.substr(0, invite.find('\r')).find(";user=phone"), std::string::npos);  // REQUIREMENTS 2.13
  EXPECT_NE(headerOf(invite, "From").find("37499999999"), std::string::npos) << invite;   // REQUIREMENTS 2.12
  second_.send(second_.response(invite, 486));
  const auto busy = caller_.expect("SIP/2.0 486");
  EXPECT_EQ(headerOf(busy, "Reason"), "Q.850;cause=17;text=\"carrier_rejected\"");
  caller_.send(caller_.request("ACK", kNumber, 1, SipPeer::toTag(busy), ""));
  const auto ended = record<call::v1::CallEnded>("ended").record();
  ASSERT_EQ(ended.attempts_size(), 2);
  EXPECT_EQ(ended.attempts(0).final_code(), 503U);
  EXPECT_EQ(ended.attempts(1).final_code(), 486U);
  EXPECT_EQ(ended.attempts(1).trunk_id(), 21);
}

// REQUIREMENTS 5.1: nobody listens at the first endpoint.
TEST_F(IngressTest, GoesToTheNextEndpointWhenThePortIsClosed) {
  const auto closed_port = SipPeer().port();
  answer(on_route_, [this, closed_port](const auto&) {
    routing::v1::RouteReply reply;
    addCandidate(reply, 20, {&carrier_, &carrier_});
    reply.mutable_routed()->mutable_candidates(0)->mutable_endpoints(0)->set_port(closed_port);
    return reply;
  });
  const auto made = talk();
  hangUp(made);
  const auto ended = record<call::v1::CallEnded>("ended").record();
  ASSERT_EQ(ended.attempts_size(), 2);
  EXPECT_EQ(ended.attempts(0).ended_because(), "transport_error");
}

// REQUIREMENTS 6.4.
TEST_F(IngressTest, RejectsAnOfferWithoutAnAllowedCodecBeforeRouting) {
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller", "18 101")));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 488"), "Reason"), "Q.850;cause=88;text=\"no_common_codec\"");
  EXPECT_EQ(record<call::v1::CallRejected>("rejected").record().reason(), common::v1::REASON_NO_COMMON_CODEC);
  EXPECT_EQ(routed_, 0);
}

TEST_F(IngressTest, PassesADelayedOfferThrough) {
  caller_.send(caller_.request("INVITE", kNumber, 1, "", ""));
  const auto invite = carrier_.expect("INVITE");
  EXPECT_EQ(bodyOf(invite), "");
  carrier_.send(carrier_.response(invite, 200, sdp("carrier", "8 0")));
  const auto ok = caller_.expect("SIP/2.0 200");
  EXPECT_NE(bodyOf(ok).find("RTP/AVP 8 0"), std::string::npos);
  caller_.send(caller_.request("ACK", kNumber, 1, SipPeer::toTag(ok), sdp("caller", "8")));
  const auto ack = carrier_.expect("ACK");
  EXPECT_NE(bodyOf(ack).find("RTP/AVP 8"), std::string::npos) << ack;
  hangUp({ok, invite});
  EXPECT_EQ(record<call::v1::CallEnded>("ended").record().reason(), common::v1::REASON_NORMAL);
}

// REQUIREMENTS 6.3: CANCEL while ringing.
TEST_F(IngressTest, CancelsTheCarrierWhenTheCallerCancels) {
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  const auto invite = carrier_.expect("INVITE");
  carrier_.send(carrier_.response(invite, 180));
  (void)caller_.expect("SIP/2.0 180");
  caller_.send(caller_.request("CANCEL", kNumber, 1, "", ""));
  const auto cancel = carrier_.expect("CANCEL");
  carrier_.send(carrier_.response(cancel, 200));
  carrier_.send(carrier_.response(invite, 487));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 487"), "Reason"), "Q.850;cause=16;text=\"caller_cancelled\"");
  const auto ended = record<call::v1::CallEnded>("ended").record();
  EXPECT_EQ(ended.reason(), common::v1::REASON_CALLER_CANCELLED);
  EXPECT_EQ(ended.talked().seconds(), 0);
}

// REQUIREMENTS 6.6, and RFC 3261 15: the caller's BYE waits for its ACK.
TEST_F(IngressTest, EndsTheCallerWhenTheCarrierSaysByeButNotBeforeTheAck) {
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  const auto invite = carrier_.expect("INVITE");
  carrier_.send(carrier_.response(invite, 200, sdp("carrier", "0")));
  const auto ok = caller_.expect("SIP/2.0 200");
  (void)carrier_.expect("ACK");
  // The carrier's BYE comes from the called side, so From and To are exchanged.
  const auto bye = "BYE " + uriOf(headerOf(invite, "Contact")) +
                   " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(carrier_.port()) +
                   ";branch=z9hG4bKbye\r\nFrom: " + headerOf(invite, "To") + ";tag=carrier\r\nTo: " + headerOf(invite, "From") +
                   "\r\nCall-ID: " + headerOf(invite, "Call-ID") + "\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
  carrier_.send(bye);
  (void)carrier_.expect("SIP/2.0 200");
  EXPECT_EQ(record<call::v1::CallEnded>("ended").record().ended_by(), call::v1::ENDED_BY_CARRIER);
  caller_.send(caller_.request("ACK", kNumber, 1, SipPeer::toTag(ok), ""));
  const auto to_caller = caller_.expect("BYE");
  caller_.send(caller_.response(to_caller, 200));
}

// REQUIREMENTS 9.2: refused extension: BYE on both sides at the paid end, never a second more.
TEST_F(IngressTest, EndsBothSidesWhenTheMoneyIsOver) {
  answer(on_reserve_, [](const auto&) { return reserved(2); });
  answer(on_extend_, [](const auto&) {
    billing::v1::ExtendReply reply;
    reply.set_paid_seconds(2);
    reply.set_refused(true);
    return reply;
  });
  (void)talk();
  const auto bye = caller_.expect("BYE");
  EXPECT_EQ(headerOf(bye, "Reason"), "Q.850;cause=16;text=\"credit_exhausted\"");
  (void)carrier_.expect("BYE");
  const auto ended = record<call::v1::CallEnded>("ended").record();
  EXPECT_EQ(ended.reason(), common::v1::REASON_CREDIT_EXHAUSTED);
  EXPECT_EQ(ended.talked().seconds(), 2);
  EXPECT_EQ(ended.talked().nanos(), 0);
}

// re-INVITE is not built yet: it is refused, and the call stays as it is. INFO and OPTIONS are answered, REFER is refused.
TEST_F(IngressTest, AnswersRequestsInsideTheDialogAndKeepsTheCall) {
  const auto made = talk();
  const auto tag = SipPeer::toTag(made.ok);
  caller_.send(caller_.request("INVITE", kNumber, 2, tag, sdp("caller")));
  const auto no = caller_.expect("SIP/2.0 488");
  caller_.send(caller_.request("ACK", kNumber, 2, SipPeer::toTag(no), ""));
  caller_.send(caller_.request("INFO", kNumber, 3, tag, ""));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 200"), "CSeq"), "3 INFO");
  caller_.send(caller_.request("REFER", kNumber, 4, tag, ""));
  (void)caller_.expect("SIP/2.0 603");
  caller_.send(caller_.request("FROBNICATE", kNumber, 5, tag, ""));
  EXPECT_NE(headerOf(caller_.expect("SIP/2.0 405"), "Allow"), "");
  caller_.send(caller_.request("BYE", kNumber, 6, tag, ""));
  (void)caller_.expect("SIP/2.0 200");
  (void)carrier_.expect("BYE");
}

}  // namespace
}  // namespace tollgate::component
