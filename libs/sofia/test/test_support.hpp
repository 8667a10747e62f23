// For the tests of libs/sofia: a scripted UDP peer, a recorder of events, an agent on a loop of its own, and a hold on Sofia's clock.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "libs/base/clock.hpp"
#include "libs/sofia/agent.hpp"
#include "libs/sofia/loop.hpp"
#include "libs/sofia/sofia_api.hpp"
#include "libs/testkit/udp_peer.hpp"

// Sofia's hook for its clock.
extern "C" void (*_su_time)(su_time_t*);

namespace tollgate::sofia::testing {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
inline constexpr std::chrono::milliseconds kLimit = 10s;

// Moves Sofia's clock. The clock stays moved after this object is destroyed, because a loop may still run. Requires: made before the loop.
class ShiftedClock {
 public:
  explicit ShiftedClock(std::int64_t seconds = 0) {
    offset() = seconds;
    _su_time =
        +[](su_time_t* time) { time->tv_sec = static_cast<unsigned long>(static_cast<std::int64_t>(time->tv_sec) + offset().load()); };
  }
  ShiftedClock(const ShiftedClock&) = delete;
  ShiftedClock& operator=(const ShiftedClock&) = delete;
  static void jump(std::int64_t seconds) { offset() += seconds; }
  // Seconds that put the 32-bit millisecond counter nta uses well into its upper half.
  static std::int64_t toUpperHalf() {
    const su_time_t now = su_now();
    const auto milliseconds = static_cast<std::uint32_t>(now.tv_sec * 1000ULL);
    return (static_cast<std::int64_t>(0xC0000000U) - static_cast<std::int64_t>(milliseconds)) / 1000;
  }

 private:
  static std::atomic<std::int64_t>& offset() {
    static std::atomic<std::int64_t> value = 0;
    return value;
  }
};

using testkit::headerOf;

class UdpPeer : public testkit::UdpPeer {
 public:
  [[nodiscard]] HostPort hostPort() const { return {"127.0.0.1", port()}; }
};

// A SIP request of the peer's.
struct Script {
  std::string method = "INVITE";
  std::string uri = "sip:5512345@127.0.0.1";
  std::string call_id = "call-1";
  std::string branch = "z9hG4bK-1";
  std::string from_tag = "caller";
  std::string to_tag{};
  int cseq = 1;
  std::string extra{};  // whole header lines with CRLF
  std::string body{};

  [[nodiscard]] std::string text(const UdpPeer& peer) const {
    const std::string here = "127.0.0.1:" + std::to_string(peer.port());
    std::string message = method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + here + ";branch=" + branch + ";rport\r\n" +
                          "From: \"Al \\\"Q\\\"\" <sip:%2B4477@" + here + ">;tag=" + from_tag + "\r\nTo: <sip:5512345@127.0.0.1>" +
                          (to_tag.empty() ? "" : ";tag=" + to_tag) + "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " +
                          method + "\r\nContact: <sip:peer@" + here + ">\r\nMax-Forwards: 70\r\n" + extra;
    if (!body.empty()) {
      message += "Content-Type: application/sdp\r\n";
    }
    return message + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
};

// A response of the peer's to a request it received.
inline std::string respond(const std::string& request, int status, const std::string& tag, const UdpPeer& peer,
                           const std::string& extra = "", const std::string& body = "") {
  std::string message = "SIP/2.0 " + std::to_string(status) + " Whatever\r\nVia: " + headerOf(request, "Via") +
                        "\r\nFrom: " + headerOf(request, "From") + "\r\nTo: " + headerOf(request, "To") +
                        (headerOf(request, "To").find(";tag=") == std::string::npos ? ";tag=" + tag : "") +
                        "\r\nCall-ID: " + headerOf(request, "Call-ID") + "\r\nCSeq: " + headerOf(request, "CSeq") + "\r\n";
  if (extra.find("Contact:") == std::string::npos) {
    message += "Contact: <sip:peer@127.0.0.1:" + std::to_string(peer.port()) + ">\r\n";
  }
  message += extra;
  if (!body.empty()) {
    message += "Content-Type: application/sdp\r\n";
  }
  return message + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Keeps what came in, or hands it to the function a test sets. Everything but the counters on the loop thread only.
class Recorder : public SipEvents {
 public:
  Admission admit(const Source& source) override { return on_admit ? on_admit(source) : Admission::kAccept; }
  void onInvite(InviteIn invite, ServerTransaction transaction) override {
    ++invites;
    if (on_invite) {
      on_invite(std::move(invite), std::move(transaction));
    }
  }
  void onOutsideRequest(Method /*method*/, bool names_dialog, ServerTransaction transaction) override {
    (void)transaction.reply({.status = names_dialog ? 481 : 200, .phrase = {}, .headers = {}, .retry_after_seconds = 0, .body = {}});
  }
  void onRequest(Key leg, Method method, ServerTransaction transaction) override {
    last_key = leg;
    ++requests;
    if (on_request) {
      on_request(leg, method, std::move(transaction));
    } else {
      (void)transaction.reply({.status = 200, .phrase = {}, .headers = {}, .retry_after_seconds = 0, .body = {}});
    }
  }
  void onCancel(Key key) override {
    last_key = key;
    ++cancels;
  }
  void onAck(Key key, Body body) override {
    last_key = key;
    ack_body = body.text;
    ++acks;
  }
  void onNoAck(Key key) override {
    last_key = key;
    ++no_acks;
  }
  void onResponse(Key key, ResponseIn response) override {
    if (on_response) {
      on_response(key, response);
    }
    responses.push_back(std::move(response));
    ++response_count;
  }

  std::function<Admission(const Source&)> on_admit;
  std::function<void(InviteIn, ServerTransaction)> on_invite;
  std::function<void(Key, Method, ServerTransaction)> on_request;
  std::function<void(Key, const ResponseIn&)> on_response;
  std::vector<ResponseIn> responses{};
  std::string ack_body{};
  Key last_key = kNoKey;
  std::atomic<int> invites = 0, requests = 0, cancels = 0, acks = 0, no_acks = 0, response_count = 0;
};

class SipTest : public ::testing::Test {
 protected:
  ~SipTest() override { stop(); }

  void start(AgentOptions options = {}) {
    if (options.listeners.empty()) {
      options.listeners = {{.address = "127.0.0.1", .port = 0, .advertised = ""}};
    }
    const auto started = loop.start(
        [&]() -> base::Result<void> {
          TG_TRY_ASSIGN(created, Agent::create(loop, options, events));
          agent = std::move(created);
          port = agent->listeners()[0].port;
          return {};
        },
        [this] {
          servers.clear();
          clients.clear();
          legs.clear();
          agent.reset();
        });
    ASSERT_TRUE(started) << started.error().message;
  }

  void stop() { loop.stop(); }

  // Runs on the loop thread and waits.
  template <class Function>
  auto onLoop(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    const auto posted = loop.post([&task] { task(); });
    EXPECT_TRUE(posted);
    return result.get();
  }

  // True when the condition (on the loop thread) holds in time.
  bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < end) {
      if (onLoop(condition)) {
        return true;
      }
    }
    return false;
  }

  // A request and its answer: everything sent before was handled, timers due by now too.
  void roundTrip(const UdpPeer& peer) {
    static std::atomic<int> count = 0;
    const std::string id = "ping-" + std::to_string(++count);
    peer.send(
        Script{.method = "OPTIONS", .call_id = id, .branch = "z9hG4bK" + id, .from_tag = "p", .to_tag = "", .extra = "", .body = ""}.text(
            peer),
        port);
    const auto end = std::chrono::steady_clock::now() + kLimit;
    std::string answer;
    while (headerOf(answer, "Call-ID") != id && std::chrono::steady_clock::now() < end) {
      answer = peer.expect("SIP/2.0 200");
    }
    EXPECT_EQ(headerOf(answer, "Call-ID"), id);
  }

  // Accepts the next INVITE with a dialog and these replies; keeps the handles under key 7 (transaction) and 8 (leg).
  void answerWith(std::vector<Reply> replies) {
    events.on_invite = [this, replies = std::move(replies)](const InviteIn& invite, ServerTransaction transaction) {
      invite_in = invite;
      transaction.setKey(7);
      auto leg = agent->acceptDialog(transaction, 8);
      ASSERT_TRUE(leg) << leg.error().message;
      for (const Reply& reply : replies) {
        const auto sent = transaction.reply(reply);
        EXPECT_TRUE(sent) << sent.error().message;
      }
      legs.push_back(std::move(*leg));
      servers.push_back(std::move(transaction));
    };
  }

  // Sends an INVITE to the peer; handles go to legs and clients.
  base::Result<void> call(const UdpPeer& peer, InviteOut out = {}, Key key = 5) {
    return onLoop([&]() -> base::Result<void> {
      if (out.destination.address.empty()) {
        out.destination = peer.hostPort();
      }
      TG_TRY_ASSIGN(sent, agent->invite(out, key));
      legs.push_back(std::move(sent.leg));
      clients.push_back(std::move(sent.invite));
      return {};
    });
  }

  base::SystemClock clock;
  Recorder events;
  InviteIn invite_in;
  std::vector<ServerTransaction> servers{};
  std::vector<ClientTransaction> clients{};
  std::vector<Leg> legs{};
  std::unique_ptr<Agent> agent;
  std::uint16_t port = 0;
  Loop loop{clock};
};

}  // namespace tollgate::sofia::testing
