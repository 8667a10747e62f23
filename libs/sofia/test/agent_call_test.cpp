// Calls in both directions against a raw UDP peer.
#include "libs/sofia/test/test_support.hpp"

namespace tollgate::sofia {
namespace {

using testing::headerOf;
using testing::respond;
using testing::Script;
using testing::SipTest;
using testing::UdpPeer;

const std::string kSdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

Reply reply(int status, Headers headers = {}, std::string body = "") {
  return {.status = status,
          .phrase = "",
          .headers = std::move(headers),
          .retry_after_seconds = 0,
          .body = {body.empty() ? "" : std::string(kSdpType), std::move(body)}};
}

class IncomingCall : public SipTest {
 protected:
  // INVITE, 200, ACK; returns the 200.
  std::string establish() {
    peer.send(invite.text(peer), port);
    std::string ok = peer.expect("SIP/2.0 200");
    to_tag = headerOf(ok, "To").substr(headerOf(ok, "To").find(";tag=") + 5);
    Script ack = invite;
    ack.method = "ACK";
    ack.branch = "z9hG4bK-ack";
    ack.to_tag = to_tag;
    peer.send(ack.text(peer), port);
    return ok;
  }
  UdpPeer peer;
  Script invite{.body = kSdp};
  std::string to_tag;
};

TEST_F(IncomingCall, IsDescribedInPlainTerms) {
  start();
  answerWith({reply(100), reply(486)});
  invite.uri = "sip:+5512345;npdi@127.0.0.1:5060;user=phone";
  invite.extra = "P-Asserted-Identity: <sip:1@x>\r\nSupported: timer, 100rel\r\nRequire: foo\r\n";
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 100");
  const std::string busy = peer.expect("SIP/2.0 486");
  EXPECT_NE(headerOf(busy, "To").find(";tag="), std::string::npos);
  onLoop([&] {
    EXPECT_EQ(invite_in.source.addressText(), "127.0.0.1");
    EXPECT_EQ(invite_in.source.port, peer.port());
    EXPECT_EQ(invite_in.scheme, "sip");
    EXPECT_EQ(invite_in.called_user, "+5512345;npdi");
    EXPECT_EQ(invite_in.caller_user, "+4477");  // unescaped
    EXPECT_EQ(invite_in.call_id, "call-1");
    EXPECT_EQ(invite_in.max_forwards, 70);
    EXPECT_EQ(invite_in.own_hops, 0);
    EXPECT_EQ(invite_in.require, std::vector<std::string>{"foo"});
    EXPECT_EQ(invite_in.body.type, kSdpType);
    EXPECT_EQ(invite_in.body.text, kSdp);
    return 0;
  });
}

TEST_F(IncomingCall, MayAskForATelephoneNumber) {
  start();
  answerWith({reply(486)});
  invite.uri = "tel:+5512345;phone-context=x";
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 486");
  EXPECT_EQ(onLoop([&] { return invite_in.scheme; }), "tel");
  EXPECT_EQ(onLoop([&] { return invite_in.called_user; }), "+5512345");
}

TEST_F(IncomingCall, IsAnsweredAcknowledgedAndEndedByTheCaller) {
  start();
  answerWith({reply(100), reply(180), reply(200, {}, kSdp)});
  const std::string ok = establish();
  EXPECT_EQ(headerOf(ok, "Contact"), "<sip:127.0.0.1:" + std::to_string(port) + ">");
  EXPECT_EQ(headerOf(ok, "Server"), "Tollgate");
  EXPECT_FALSE(headerOf(ok, "Allow").empty());
  EXPECT_TRUE(ok.ends_with(kSdp));
  EXPECT_TRUE(eventually([&] { return events.acks == 1; }));
  EXPECT_EQ(events.last_key, 7U);
  onLoop([&] {
    servers.clear();
    return 0;
  });
  peer.send(Script{.method = "BYE", .branch = "z9hG4bK-bye", .to_tag = to_tag, .cseq = 2, .body = ""}.text(peer), port);
  (void)peer.expect("SIP/2.0 200");
  EXPECT_EQ(onLoop([&] { return events.last_key; }), 8U);
  onLoop([&] {
    legs.clear();
    return 0;
  });
  peer.send(Script{.method = "BYE", .branch = "z9hG4bK-bye2", .to_tag = to_tag, .cseq = 3, .body = ""}.text(peer), port);
  (void)peer.expect("SIP/2.0 481");  // by the recorder, as any owner of calls must
}

TEST_F(IncomingCall, IsEndedByUsWithAReason) {
  start();
  answerWith({reply(200, {}, kSdp)});
  (void)establish();
  ASSERT_TRUE(eventually([&] { return events.acks == 1; }));
  onLoop([&] {
    EXPECT_TRUE(agent->bye(legs.back(), {{"Reason", "Q.850;cause=16;text=\"credit_exhausted\""}}));
    legs.clear();
    return 0;
  });
  const std::string bye = peer.expect("BYE");
  EXPECT_TRUE(bye.starts_with("BYE sip:peer@127.0.0.1:" + std::to_string(peer.port())));
  EXPECT_EQ(headerOf(bye, "Reason"), "Q.850;cause=16;text=\"credit_exhausted\"");
  EXPECT_NE(headerOf(bye, "To").find(";tag=caller"), std::string::npos);
  EXPECT_NE(headerOf(bye, "From").find(";tag=" + to_tag), std::string::npos);
  peer.send(respond(bye, 200, "b", peer), port);
}

TEST_F(IncomingCall, FollowsTheRecordedRouteInsideTheDialog) {
  start();
  UdpPeer proxy;
  answerWith({reply(200, {}, kSdp)});
  invite.extra = "Record-Route: <sip:127.0.0.1:" + std::to_string(proxy.port()) + ";lr>\r\n";
  (void)establish();
  ASSERT_TRUE(eventually([&] { return events.acks == 1; }));
  onLoop([&] { return agent->bye(legs.back()).has_value(); });
  const std::string bye = proxy.expect("BYE sip:peer@127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(headerOf(bye, "Route"), "<sip:127.0.0.1:" + std::to_string(proxy.port()) + ";lr>");
}

TEST_F(IncomingCall, GetsNoHeaderThatBreaksOutOfItsLine) {
  start();
  answerWith({reply(200, {}, kSdp)});
  (void)establish();
  ASSERT_TRUE(eventually([&] { return events.acks == 1; }));
  onLoop([&] {
    const Headers broken = {{"X-A", "b\r\nVia: evil"}};
    const Headers ours = {{"Via", "SIP/2.0/UDP evil"}};
    for (const Headers& headers : {broken, ours}) {
      const auto sent = agent->bye(legs.back(), headers);
      EXPECT_FALSE(sent);
      EXPECT_EQ(sent ? base::ErrorCode::kInternal : sent.error().code, base::ErrorCode::kInvalid);
    }
    return 0;
  });
}

TEST_F(IncomingCall, IsRefusedWithReasonRetryAfterAndNoHandleLeft) {
  start();
  events.on_invite = [](const InviteIn&, ServerTransaction transaction) {
    Reply refusal = reply(503, {{"Reason", "Q.850;cause=42;text=\"draining\""}});
    refusal.retry_after_seconds = 5;
    EXPECT_TRUE(transaction.reply(refusal));
    const auto again = transaction.reply(reply(486));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, base::ErrorCode::kConflict);
  };
  peer.send(invite.text(peer), port);
  const std::string refused = peer.expect("SIP/2.0 503");
  EXPECT_EQ(headerOf(refused, "Retry-After"), "5");
  EXPECT_EQ(headerOf(refused, "Reason"), "Q.850;cause=42;text=\"draining\"");
  peer.send(invite.text(peer), port);  // retransmitted: answered by the stack
  (void)peer.expect("SIP/2.0 503");
  EXPECT_EQ(events.invites, 1);
  EXPECT_EQ(onLoop([&] { return agent->stats().server_transactions; }), 0U);
}

TEST_F(IncomingCall, IsCancelledByTheCaller) {
  start();
  answerWith({reply(180)});
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 180");
  Script cancel = invite;
  cancel.method = "CANCEL";
  cancel.body = "";
  peer.send(cancel.text(peer), port);
  (void)peer.expect("SIP/2.0 200");
  const std::string terminated = peer.expect("SIP/2.0 487");
  EXPECT_EQ(events.cancels, 1);
  Script ack = invite;
  ack.method = "ACK";
  ack.body = "";
  ack.to_tag = headerOf(terminated, "To").substr(headerOf(terminated, "To").find(";tag=") + 5);
  peer.send(ack.text(peer), port);
  EXPECT_TRUE(eventually([&] { return events.acks == 1; }));
}

TEST_F(IncomingCall, KeepsTheAnswerWhenTheCancelCrossesIt) {
  start();
  answerWith({reply(200, {}, kSdp)});
  (void)establish();
  Script cancel = invite;
  cancel.method = "CANCEL";
  cancel.body = "";
  peer.send(cancel.text(peer), port);
  (void)peer.expect("SIP/2.0 481");
  EXPECT_EQ(events.cancels, 0);
}

TEST_F(IncomingCall, DroppedWithoutReplyGets500) {
  start();
  events.on_invite = [](const InviteIn&, ServerTransaction) {};
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 500");
}

TEST_F(IncomingCall, GivesInDialogRequestsWithKeyAndMethod) {
  start();
  answerWith({reply(200, {}, kSdp)});
  (void)establish();
  std::vector<std::pair<Key, Method>> seen;
  events.on_request = [&](Key key, Method method, ServerTransaction transaction) {
    seen.emplace_back(key, method);
    EXPECT_TRUE(transaction.reply(reply(488)));
  };
  peer.send(Script{.branch = "z9hG4bK-re", .to_tag = to_tag, .cseq = 2, .body = kSdp}.text(peer), port);
  (void)peer.expect("SIP/2.0 488");
  EXPECT_EQ(onLoop([&] { return seen; }), (std::vector<std::pair<Key, Method>>{{8, Method::kInvite}}));
  // An INVITE with the same Call-ID but no To tag is a call of its own.
  peer.send(Script{.branch = "z9hG4bK-new", .cseq = 3, .body = kSdp}.text(peer), port);
  EXPECT_TRUE(eventually([&] { return events.invites == 2; }));
}

class OutgoingCall : public SipTest {
 protected:
  UdpPeer peer;
  InviteOut out{.called_user = "374#1", .uri_params = "user=phone", .caller_user = "4477", .body = {}};
};

TEST_F(OutgoingCall, ShowsNothingOfTheOtherSide) {
  start({.listeners = {}, .server_name = "", .hop_marker = "m1"});
  out.body = {std::string(kSdpType), kSdp};
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  const std::string here = "127.0.0.1:" + std::to_string(port);
  EXPECT_TRUE(invite.starts_with("INVITE sip:374%231@127.0.0.1:" + std::to_string(peer.port()) + ";user=phone SIP/2.0\r\n"));
  EXPECT_TRUE(headerOf(invite, "Via").starts_with("SIP/2.0/UDP " + here + ";"));
  EXPECT_TRUE(headerOf(invite, "From").starts_with("<sip:4477@127.0.0.1>;tag="));
  EXPECT_EQ(headerOf(invite, "Contact"), "<sip:" + here + ">");
  EXPECT_EQ(headerOf(invite, "Max-Forwards"), "70");
  EXPECT_EQ(headerOf(invite, "X-Tollgate-Hop"), "m1");
  EXPECT_EQ(headerOf(invite, "User-Agent"), "");
  EXPECT_EQ(headerOf(invite, "Call-ID").find('@'), std::string::npos);
  EXPECT_TRUE(invite.ends_with(kSdp));
}

TEST_F(OutgoingCall, IsAnsweredAcknowledgedAndEndedByTheCalled) {
  start();
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  events.on_response = [&](Key key, const ResponseIn& response) {
    EXPECT_EQ(key, 5U);
    if (response.status == 200) {
      EXPECT_TRUE(agent->ack(legs.back(), std::move(clients.back())));
    }
  };
  peer.send(respond(invite, 100, "b", peer), port);
  peer.send(respond(invite, 183, "b", peer, "", kSdp), port);
  peer.send(respond(invite, 200, "b", peer, "Reason: Q.850;cause=16\r\n", kSdp), port);
  const std::string ack = peer.expect("ACK sip:peer@127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(headerOf(ack, "CSeq"), std::to_string(std::stoul(headerOf(invite, "CSeq"))) + " ACK");
  EXPECT_NE(headerOf(ack, "To").find(";tag=b"), std::string::npos);
  peer.send(respond(invite, 200, "b", peer, "", kSdp), port);  // as if the ACK was lost
  (void)peer.expect("ACK");
  onLoop([&] {
    EXPECT_EQ(events.responses.size(), 3U);
    EXPECT_EQ(events.responses.at(0).status, 100);
    EXPECT_EQ(events.responses.at(1).body.text, kSdp);
    EXPECT_EQ(events.responses.at(2).status, 200);
    EXPECT_EQ(events.responses.at(2).origin, Origin::kNetwork);
    return 0;
  });
  const std::string from = headerOf(invite, "From");
  const std::string bye = "BYE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(peer.port()) +
                          ";branch=z9hG4bK-b;rport\r\nFrom: " + headerOf(ack, "To") + "\r\nTo: " + from +
                          "\r\nCall-ID: " + headerOf(invite, "Call-ID") + "\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n";
  peer.send(bye, port);
  (void)peer.expect("SIP/2.0 200");
  EXPECT_EQ(onLoop([&] { return events.last_key; }), 5U);
}

TEST_F(OutgoingCall, IsCancelledOnlyAfterTheFirstProvisional) {
  start();
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  onLoop([&] {
    EXPECT_TRUE(clients.back().cancel());
    EXPECT_FALSE(clients.back().cancel());
    return 0;
  });
  roundTrip(peer);  // no CANCEL overtook it
  peer.send(respond(invite, 180, "b", peer), port);
  const std::string cancel = peer.expect("CANCEL");
  EXPECT_EQ(headerOf(cancel, "Via"), headerOf(invite, "Via"));
  peer.send(respond(cancel, 200, "b", peer), port);
  peer.send(respond(invite, 487, "b", peer), port);
  (void)peer.expect("ACK");
  EXPECT_TRUE(eventually([&] { return !events.responses.empty() && events.responses.back().status == 487; }));
}

TEST_F(OutgoingCall, DroppedWhileRingingIsCancelledAndALateAnswerEnded) {
  start();
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  peer.send(respond(invite, 180, "b", peer), port);
  ASSERT_TRUE(eventually([&] { return events.response_count == 1; }));
  onLoop([&] {
    clients.clear();
    legs.clear();
    return 0;
  });
  (void)peer.expect("CANCEL");
  peer.send(respond(invite, 200, "b", peer), port);  // crossed the CANCEL
  (void)peer.expect("ACK");
  (void)peer.expect("BYE");
  EXPECT_EQ(onLoop([&] { return agent->stats().client_transactions; }), 0U);
}

TEST_F(OutgoingCall, EndsTheAnswerOfASecondBranch) {
  start();
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  events.on_response = [&](Key, const ResponseIn& response) {
    if (response.status == 200) {
      EXPECT_TRUE(agent->ack(legs.back(), std::move(clients.back())));
    }
  };
  peer.send(respond(invite, 200, "first", peer), port);
  (void)peer.expect("ACK");
  peer.send(respond(invite, 200, "second", peer), port);
  EXPECT_NE(headerOf(peer.expect("ACK"), "To").find("second"), std::string::npos);
  EXPECT_NE(headerOf(peer.expect("BYE"), "To").find("second"), std::string::npos);
  EXPECT_EQ(events.response_count, 1);
}

TEST_F(OutgoingCall, FailsImmediatelyWhenNobodyListens) {
  start();
  {
    const UdpPeer gone;
    out.destination = gone.hostPort();
  }
  ASSERT_TRUE(call(peer, out));
  ASSERT_TRUE(eventually([&] { return events.response_count == 1; }));
  EXPECT_EQ(events.responses[0].origin, Origin::kTransport);
  EXPECT_EQ(events.responses[0].status, 503);
}

TEST_F(OutgoingCall, TimesOutAsTimeout) {
  start({.listeners = {}, .t1_milliseconds = 10});
  ASSERT_TRUE(call(peer, out));
  ASSERT_TRUE(eventually([&] { return events.response_count == 1; }));
  EXPECT_EQ(events.responses[0].origin, Origin::kTimeout);
  EXPECT_EQ(events.responses[0].status, 408);
}

TEST_F(OutgoingCall, RefusesWhatCouldNotBeWrittenSafely) {
  start();
  const auto refused = [&](const InviteOut& bad) {
    const auto sent = call(peer, bad);
    EXPECT_FALSE(sent);
    return !sent && sent.error().code == base::ErrorCode::kInvalid;
  };
  InviteOut bad = out;
  bad.uri_params = "transport=tcp";
  EXPECT_TRUE(refused(bad));
  bad = out;
  bad.listener = 3;
  EXPECT_TRUE(refused(bad));
  bad = out;
  bad.destination = {"::1", 5060};
  EXPECT_TRUE(refused(bad));
  bad = out;
  bad.called_user = "37>\r\nX: y";
  ASSERT_TRUE(call(peer, bad));  // escaped
  EXPECT_TRUE(peer.expect("INVITE").starts_with("INVITE sip:37%3E%0D%0AX%3A%20y@"));
  EXPECT_EQ(onLoop([&] { return agent->stats().legs; }), 1U);
}

TEST_F(OutgoingCall, LeavesByTheListenerAsked) {
  start({.listeners = {{.address = "127.0.0.1", .port = 0, .advertised = ""},
                       {.address = "127.0.0.1", .port = 0, .advertised = "192.0.2.7"}}});
  out.listener = 1;
  ASSERT_TRUE(call(peer, out));
  const std::string invite = peer.expect("INVITE");
  const std::string second = "192.0.2.7:" + std::to_string(onLoop([&] { return agent->listeners()[1].port; }));
  EXPECT_TRUE(headerOf(invite, "Via").starts_with("SIP/2.0/UDP " + second + ";"));
  EXPECT_EQ(headerOf(invite, "Contact"), "<sip:" + second + ">");
  EXPECT_TRUE(headerOf(invite, "From").starts_with("<sip:4477@192.0.2.7>"));
  EXPECT_EQ(invite.find("127.0.0.1:" + std::to_string(port)), std::string::npos);
}

TEST_F(SipTest, NamesAPortThatIsTaken) {
  const UdpPeer taken;
  const auto started = loop.start(
      [&]() -> base::Result<void> {
        AgentOptions options;
        options.listeners = {{.address = "127.0.0.1", .port = taken.port(), .advertised = ""}};
        TG_TRY_ASSIGN(created, Agent::create(loop, options, events));
        return {};
      },
      nullptr);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, base::ErrorCode::kConflict);
  EXPECT_NE(started.error().message.find("127.0.0.1:" + std::to_string(taken.port())), std::string::npos) << started.error().message;
}

}  // namespace
}  // namespace tollgate::sofia
