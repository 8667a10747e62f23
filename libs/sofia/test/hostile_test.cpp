// Unknown sources, overload and malformed messages: they are answered or dropped, and the next call works.
#include <random>

#include "libs/sofia/test/test_support.hpp"

namespace tollgate::sofia {
namespace {

using testing::headerOf;
using testing::Script;
using testing::SipTest;
using testing::UdpPeer;

class Hostile : public SipTest {
 protected:
  void nextCallWorks() {
    answerWith({{.status = 486}});
    const Script call{.call_id = "good", .branch = "z9hG4bK-good"};
    peer.send(call.text(peer), port);
    const auto end = std::chrono::steady_clock::now() + testing::kLimit;
    std::string answer;
    while (headerOf(answer, "Call-ID") != "good" && std::chrono::steady_clock::now() < end) {
      answer = peer.expect("SIP/2.0 486");
    }
    EXPECT_EQ(headerOf(answer, "Call-ID"), "good");
  }
  UdpPeer peer;
  Script invite;
};

// REQUIREMENTS 2.4: SIP from an address on no row is rejected, or dropped; nothing is kept for it.
TEST_F(Hostile, UnknownSourcesGet403WithReasonOrSilence) {
  start();
  std::atomic<Admission> admission = Admission::kRefuse;
  events.on_admit = [&](const Source& source) {
    EXPECT_EQ(source.addressText(), "127.0.0.1");
    EXPECT_EQ(source.port, peer.port());
    return admission.load();
  };
  peer.send(invite.text(peer), port);
  const std::string refused = peer.expect("SIP/2.0 403");
  EXPECT_EQ(headerOf(refused, "Reason"), "Q.850;cause=21;text=\"unknown_source\"");
  Script ack = invite;
  ack.method = "ACK";
  peer.send(ack.text(peer), port);
  admission = Admission::kDrop;
  peer.send(invite.text(peer), port);
  ASSERT_TRUE(eventually([&] { return agent->stats().dropped == 1; }));
  EXPECT_EQ(events.invites, 0);
  EXPECT_EQ(onLoop([&] { return agent->stats().stack_incoming; }), 0U);
}

TEST_F(Hostile, TransactionsBeyondTheLimitGet503Overloaded) {
  start({.incoming_max = 2});
  answerWith({{.status = 180}});
  for (int i = 0; i < 2; ++i) {
    invite.call_id = invite.branch = "z9hG4bK-" + std::to_string(i);
    peer.send(invite.text(peer), port);
    (void)peer.expect("SIP/2.0 180");
  }
  invite.call_id = invite.branch = "z9hG4bK-2";
  peer.send(invite.text(peer), port);
  const std::string overloaded = peer.expect("SIP/2.0 503");
  EXPECT_EQ(headerOf(overloaded, "Reason"), "Q.850;cause=42;text=\"overloaded\"");
  EXPECT_EQ(headerOf(overloaded, "Retry-After"), "3");
  EXPECT_EQ(onLoop([&] { return agent->stats().overloaded; }), 1U);
  onLoop([&] {
    servers.clear();
    return 0;
  });
  nextCallWorks();
}

TEST_F(Hostile, MalformedRequestsGet400AndNoCall) {
  start();
  std::string bad = invite.text(peer);
  bad.replace(bad.find("CSeq: 1 INVITE"), 14, "CSeq: x INVITE");
  peer.send(bad, port);
  EXPECT_TRUE(peer.expect("SIP/2.0 400").starts_with("SIP/2.0 400 Bad CSeq Header"));
  bad = invite.text(peer);
  bad.replace(bad.find("CSeq: 1 INVITE"), 14, "CSeq: 1 BYE");
  peer.send(bad, port);
  (void)peer.expect("SIP/2.0 400");
  bad = invite.text(peer);
  bad.replace(bad.find("Call-ID: call-1\r\n"), 17, "");
  peer.send(bad, port);
  (void)peer.expect("SIP/2.0 400");
  EXPECT_EQ(events.invites, 0);
  nextCallWorks();
}

TEST_F(Hostile, ALyingContentLengthHarmsNothing) {
  start();
  answerWith({{.status = 486}});
  invite.body = "v=0\r\n";
  const auto sendWithLength = [&](const std::string& name, const std::string& length) {
    invite.call_id = invite.branch = "z9hG4bK-" + name;
    std::string bad = invite.text(peer);
    bad.replace(bad.find("Content-Length: 5"), 17, "Content-Length: " + length);
    peer.send(bad, port);
  };
  sendWithLength("long", "50000");
  (void)peer.expect("SIP/2.0 400");
  sendWithLength("negative", "-1");
  (void)peer.expect("SIP/2.0 400");
  EXPECT_EQ(events.invites, 0);
  sendWithLength("short", "1");  // the rest of the datagram is no part of the body
  (void)peer.expect("SIP/2.0 486");
  EXPECT_EQ(onLoop([&] { return invite_in.body.text; }), "v");
  nextCallWorks();
}

TEST_F(Hostile, AHundredHeadersAndALongUriAreTaken) {
  start();
  answerWith({{.status = 486}});
  for (int i = 0; i < 100; ++i) {
    invite.extra += "X-Header-" + std::to_string(i) + ": " + std::string(50, 'x') + "\r\n";
  }
  invite.uri = "sip:" + std::string(2000, '5') + "@127.0.0.1";
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 486");
  EXPECT_EQ(onLoop([&] { return invite_in.called_user.size(); }), 2000U);
  nextCallWorks();
}

TEST_F(Hostile, NoiseIsDropped) {
  start();
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string noise(1 + random() % 60000, '\0');
    for (char& c : noise) {
      c = static_cast<char>(random());
    }
    peer.send(noise, port);
    if (i % 20 == 0) {
      roundTrip(peer);  // so that the socket's buffer does not just drop them
    }
  }
  peer.send("\r\n\r\n", port);
  roundTrip(peer);
  EXPECT_EQ(events.invites, 0);
  nextCallWorks();
}

TEST_F(Hostile, MutatedInvitesNeverStopTheLoop) {
  start();
  events.on_invite = [](const InviteIn&, ServerTransaction transaction) { (void)transaction.reply({.status = 486}); };
  std::mt19937 random(11);
  invite.body = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nm=image 4000 udptl (\r\n";
  invite.extra =
      "P-Asserted-Identity: \"x\" <tel:+44>\r\nReason: Q.850;cause=16\r\nSupported: 100rel,timer\r\nSession-Expires: 90;refresher=uac\r\n";
  for (int i = 0; i < 3000; ++i) {
    invite.call_id = "mutant-" + std::to_string(i);
    invite.branch = "z9hG4bK-m" + std::to_string(i);
    std::string text = invite.text(peer);
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 30);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
    }
    peer.send(text, port);
    if (i % 100 == 0) {
      roundTrip(peer);
    }
  }
  roundTrip(peer);
  EXPECT_EQ(onLoop([&] { return agent->stats().server_transactions; }), 0U);
  nextCallWorks();
}

TEST_F(Hostile, StrayMessagesAreHarmless) {
  start();
  const std::string stray = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(port) +
                            ";branch=z9hG4bK-none\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: none\r\nCSeq: 1 INVITE\r\n"
                            "Contact: <sip:victim@127.0.0.1:" +
                            std::to_string(peer.port()) + ">\r\nContent-Length: 0\r\n\r\n";
  peer.send(stray, port);
  for (const char* method : {"ACK", "PRACK", "BYE"}) {
    peer.send(Script{.method = method, .branch = std::string("z9hG4bK-") + method, .to_tag = "nobody"}.text(peer), port);
  }
  peer.send(Script{.method = "CANCEL", .branch = "z9hG4bK-c"}.text(peer), port);
  (void)peer.expect("SIP/2.0 481");
  nextCallWorks();
}

TEST_F(Hostile, AnExceptionInAnEventEndsThere) {
  start();
  events.on_invite = [](const InviteIn&, ServerTransaction) { throw std::runtime_error("bug"); };
  peer.send(invite.text(peer), port);
  (void)peer.expect("SIP/2.0 500");
  nextCallWorks();
}

}  // namespace
}  // namespace tollgate::sofia
