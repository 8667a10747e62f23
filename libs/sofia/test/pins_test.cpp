// Pins: one test for each behaviour of Sofia-SIP that libs/sofia must live with or has neutralised (the sections of libs/sofia/TRAPS.md).
#include <cstring>

#include "libs/sofia/core.hpp"
#include "libs/sofia/process.hpp"
#include "libs/sofia/test/test_support.hpp"

namespace tollgate::sofia {
namespace {

using testing::headerOf;
using testing::respond;
using testing::Script;
using testing::ShiftedClock;
using testing::SipTest;
using testing::UdpPeer;

const std::string kSdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

Reply reply(int status, std::string body = "") {
  return {.status = status, .body = {.type = body.empty() ? "" : std::string(kSdpType), .text = std::move(body)}};
}

class Pins : public SipTest {
 protected:
  std::string tagOf(const std::string& response) {
    const std::string to = headerOf(response, "To");
    return to.substr(to.find(";tag=") + 5);
  }
  UdpPeer peer;
  Script invite{.body = kSdp};
};

// libs/sofia/TRAPS.md 1.3: with >= 5 client retransmissions due in one tick while packets arrive, libsofia's own su_root_yield lets server
// transactions expire early when its millisecond counter is in the upper half. Ours must not: timer H (64*T1 = 3.2 s here) stays where it
// is.
TEST_F(Pins, TimerHDoesNotFireEarlyWhileClientRetransmissionsAreDue) {
  const ShiftedClock clock_in_bad_half(ShiftedClock::toUpperHalf());
  start({.t1_milliseconds = 50});
  answerWith({reply(200, kSdp)});
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 200");
  const UdpPeer silent;  // receives, never answers: INVITEs to it are retransmitted together
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(call(silent));
  }
  const auto begin = std::chrono::steady_clock::now();
  while (onLoop([&] { return agent->stats().retransmitted; }) < 48) {  // four rounds of 12, 750 ms after the first
    for (int i = 0; i < 20; ++i) {                                     // packets that wait while the timer runs
      peer.send("\r\n\r\n", port);
    }
    ASSERT_LT(std::chrono::steady_clock::now() - begin, testing::kLimit);
  }
  ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(3000)) << "too slow to tell";
  EXPECT_EQ(events.no_acks, 0);
  EXPECT_TRUE(eventually([&] { return events.no_acks == 1; }));  // and it does fire in the end
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(2500));
  EXPECT_EQ(events.last_key, 7U);
}

// libs/sofia/TRAPS.md 1.4, 1.6: what the agent was told is in force. A debug build of nta would not warn if a tag were lost on the way.
TEST(PinnedParameters, AreInForce) {
  ASSERT_TRUE(prepareProcess());
  testing::Recorder events;
  su_root_t* root = su_root_create(nullptr);
  {
    AgentCore core(root, {.listeners = {{.address = "127.0.0.1", .port = 0}}}, events);
    ASSERT_TRUE(core.open());
    unsigned progress = 0, mtu = 0;
    usize_t largest = 0;
    int is_ua = 0, merges = 0, naptr = 1, srv = 1, rport = 0;
    nta_agent_get_params(core.agent, NTATAG_PROGRESS_REF(progress), NTATAG_UDP_MTU_REF(mtu), NTATAG_MAXSIZE_REF(largest),
                         NTATAG_UA_REF(is_ua), NTATAG_MERGE_482_REF(merges), NTATAG_USE_NAPTR_REF(naptr), NTATAG_USE_SRV_REF(srv),
                         NTATAG_SERVER_RPORT_REF(rport), TAG_END());
    EXPECT_EQ(progress, UINT_MAX);
    EXPECT_EQ(mtu, 65535U);
    EXPECT_EQ(largest, 65536U);
    EXPECT_EQ(is_ua, 1);
    EXPECT_EQ(merges, 1);
    EXPECT_EQ(naptr, 0);
    EXPECT_EQ(srv, 0);
    EXPECT_EQ(rport, 1);
  }
  su_root_destroy(root);
}

// libs/sofia/TRAPS.md 1.4: ringing calls sit in no timer list, so that none of them costs a later one anything: after 61 s of Sofia's time
// no provisional is repeated, though 2,500 are open, and new calls are handled.
TEST_F(Pins, RingingCallsAreInNoRefreshList) {
  const ShiftedClock shifted;
  start({.incoming_max = 5000});
  answerWith({reply(100), reply(180)});
  constexpr int kCalls = 2500;
  for (int i = 0; i < kCalls; ++i) {
    invite.call_id = "ringing-" + std::to_string(i);
    invite.branch = "z9hG4bK-ringing-" + std::to_string(i);
    peer.send(invite.text(peer), port);
    (void)peer.expect("SIP/2.0 180");
  }
  ShiftedClock::jump(61);
  roundTrip(peer);
  roundTrip(peer);
  for (auto message = peer.receive(std::chrono::milliseconds(0)); message; message = peer.receive(std::chrono::milliseconds(0))) {
    EXPECT_FALSE(message->starts_with("SIP/2.0 180")) << "repeated";
  }
  EXPECT_EQ(onLoop([&] { return agent->stats().server_transactions; }), static_cast<std::size_t>(kCalls));
  invite.call_id = invite.branch = "z9hG4bK-one-more";
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 180");
}

// libs/sofia/TRAPS.md 1.6: a large INVITE leaves by UDP immediately, not after an attempt over TCP.
TEST_F(Pins, LargeInviteLeavesByUdp) {
  start();
  const std::string large = kSdp + std::string(6000, 'a');
  ASSERT_TRUE(call(peer, {.called_user = "1", .body = {.type = std::string(kSdpType), .text = large}}));
  EXPECT_TRUE(peer.expect("INVITE").ends_with(large));
}

// libs/sofia/TRAPS.md 1.5: an ACK that matches no INVITE aborts the process inside nta. Ours cannot be built without the INVITE, and does
// not look it up.
TEST_F(Pins, AckNeverAborts) {
  const ShiftedClock shifted;
  start();
  ASSERT_TRUE(call(peer));
  const std::string request = peer.expect("INVITE");
  onLoop([&] {
    Leg nothing;
    EXPECT_FALSE(agent->ack(nothing, ClientTransaction()));
    EXPECT_FALSE(agent->ack(legs.back(), ClientTransaction()));
    return 0;
  });
  peer.send(respond(request, 200, "b", peer), port);
  ASSERT_TRUE(eventually([&] { return events.response_count == 1; }));
  ShiftedClock::jump(40);  // timer D is over: nta has forgotten the INVITE
  roundTrip(peer);
  roundTrip(peer);
  onLoop([&] {
    EXPECT_TRUE(agent->ack(legs.back(), std::move(clients.back()), {.type = std::string(kSdpType), .text = kSdp}));
    EXPECT_FALSE(agent->ack(legs.back(), std::move(clients.back())));
    return 0;
  });
  EXPECT_TRUE(peer.expect("ACK").ends_with(kSdp));
}

TEST_F(Pins, AckOfAFailureIsRefused) {
  start();
  ASSERT_TRUE(call(peer));
  const std::string request = peer.expect("INVITE");
  peer.send(respond(request, 486, "b", peer), port);
  ASSERT_TRUE(eventually([&] { return events.response_count == 1; }));
  (void)peer.expect("ACK");  // by the stack
  const auto acknowledged = onLoop([&] { return agent->ack(legs.back(), std::move(clients.back())); });
  ASSERT_FALSE(acknowledged);
  EXPECT_EQ(acknowledged.error().code, base::ErrorCode::kConflict);
}

// libs/sofia/TRAPS.md 1.12: every ACK that reaches a leg becomes a server transaction; kept ones are walked over at each tick. None stays.
TEST_F(Pins, AcksAreDestroyed) {
  const ShiftedClock shifted;
  start();
  answerWith({reply(200, kSdp)});
  peer.send(invite.text(peer), port);
  const std::string ok = peer.expect("SIP/2.0 200");
  Script ack = invite;
  ack.method = "ACK";
  ack.to_tag = tagOf(ok);
  peer.send(ack.text(peer), port);
  ASSERT_TRUE(eventually([&] { return events.acks == 1; }));
  onLoop([&] {
    servers.clear();
    return 0;
  });
  ShiftedClock::jump(40);  // the INVITE transaction is gone, so further ACKs go to the leg
  for (int i = 0; i < 50; ++i) {
    roundTrip(peer);
    ack.branch = "z9hG4bK-late-" + std::to_string(i);
    peer.send(ack.text(peer), port);
  }
  roundTrip(peer);
  EXPECT_GT(onLoop([&] { return agent->stats().stack_incoming; }), 0U);
  ShiftedClock::jump(40);
  EXPECT_TRUE(eventually([&] { return agent->stats().stack_incoming == 0; }));
  EXPECT_EQ(onLoop([&] { return agent->stats().server_transactions; }), 0U);
}

// libs/sofia/TRAPS.md 1.12: nothing of an ended call stays in the stack once its timers are over.
TEST_F(Pins, NothingStaysOfEndedCalls) {
  const ShiftedClock shifted;
  start();
  answerWith({reply(200, kSdp)});
  events.on_response = [&](Key, const ResponseIn& response) {
    if (response.status == 200) {
      EXPECT_TRUE(agent->ack(legs.back(), std::move(clients.back())));
      EXPECT_TRUE(agent->bye(legs.back()));
    }
  };
  peer.send(invite.text(peer), port);
  const std::string ok = peer.expect("SIP/2.0 200");
  Script bye{.method = "BYE", .branch = "z9hG4bK-bye", .to_tag = tagOf(ok), .cseq = 2};
  peer.send(bye.text(peer), port);
  (void)peer.expect("SIP/2.0 200");
  ASSERT_TRUE(call(peer));
  const std::string request = peer.expect("INVITE");
  peer.send(respond(request, 200, "b", peer), port);
  peer.send(respond(peer.expect("BYE"), 200, "b", peer), port);
  ASSERT_TRUE(call(peer));  // this one rings and is dropped
  const std::string dropped = peer.expect("INVITE");
  peer.send(respond(dropped, 180, "b", peer), port);
  ASSERT_TRUE(eventually([&] { return events.response_count >= 2; }));
  onLoop([&] {
    servers.clear();
    clients.clear();
    legs.clear();
    return 0;
  });
  ASSERT_TRUE(call(peer));  // and this one never hears a thing
  onLoop([&] {
    clients.clear();
    legs.clear();
    return 0;
  });
  (void)peer.expect("CANCEL");
  // Timers run one after the other: 32 s of INVITE or CANCEL, then D or K.
  for (int i = 0; i < 4; ++i) {
    ShiftedClock::jump(40);
    roundTrip(peer);
    roundTrip(peer);
  }
  ShiftedClock::jump(40);
  EXPECT_TRUE(eventually([&] {
    const AgentStats stats = agent->stats();
    return stats.stack_incoming + stats.stack_outgoing + stats.stack_legs == 0;
  }));
}

// libs/sofia/TRAPS.md 1.5, 1.14: nta must never resolve. Names are refused before it; a Contact with a name falls back to where the dialog
// began; a forked 2xx with one, which nta would answer by itself, harms nothing.
TEST_F(Pins, NamesNeverReachTheResolver) {
  start();
  const auto refused = call(peer, {.destination = {"carrier.example", 5060}, .called_user = "1"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::kInvalid);
  ASSERT_TRUE(call(peer));
  events.on_response = [&](Key, const ResponseIn& response) {
    if (response.status == 200) {
      EXPECT_TRUE(agent->ack(legs.back(), std::move(clients.back())));
    }
  };
  const std::string request = peer.expect("INVITE");
  peer.send(respond(request, 200, "b", peer, "Contact: <sip:b@carrier.example>\r\n"), port);
  EXPECT_TRUE(peer.expect("ACK").starts_with("ACK sip:b@carrier.example SIP/2.0"));
  peer.send(respond(request, 200, "other", peer, "Contact: <sip:c@carrier.example>\r\n"), port);
  onLoop([&] { return agent->bye(legs.back()).has_value(); });
  (void)peer.expect("BYE sip:b@carrier.example");
  roundTrip(peer);
}

// libs/sofia/TRAPS.md 1.13: libsofia's transport answers STUN on the SIP port and prints every such packet to stderr. Ours is silent.
TEST_F(Pins, StunIsIgnoredInSilence) {
  start();
  std::string request(20, '\0');
  request[1] = 1;  // binding request
  ::testing::internal::CaptureStderr();
  for (const char second : {'\0', '\1', '\2'}) {
    request[0] = second == '\2' ? '\2' : '\0';
    request[1] = second;
    peer.send(request, port);
  }
  roundTrip(peer);
  EXPECT_EQ(::testing::internal::GetCapturedStderr().find("stun"), std::string::npos);
  EXPECT_FALSE(peer.receive(std::chrono::milliseconds(0)));
}

// libs/sofia/TRAPS.md 1.6: what nta leaves to us is passed up.
TEST_F(Pins, MaxForwardsZeroAndOwnHopsArePassedUp) {
  start({.hop_marker = "m1"});
  answerWith({reply(483)});
  std::string text =
      Script{.extra = "X-Tollgate-Hop: m1\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(port) + ";branch=z9hG4bK-own\r\n"}.text(peer);
  text.replace(text.find("Max-Forwards: 70"), 16, "Max-Forwards: 0");
  peer.send(text, port);
  (void)peer.expect("SIP/2.0 483");
  EXPECT_EQ(onLoop([&] { return invite_in.max_forwards; }), 0);
  EXPECT_EQ(onLoop([&] { return invite_in.own_hops; }), 2);
}

}  // namespace
}  // namespace tollgate::sofia
