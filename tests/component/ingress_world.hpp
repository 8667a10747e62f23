// The ingress in this process on a real nats-server. The test plays auth, routing and billing through the real RPC server; each answers
// from a function that the test may replace. The caller and the carriers are SipPeers. Used on the test's thread; the answering functions
// run on bus threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "libs/bus/control.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/temp_dir.hpp"
#include "libs/testkit/wait.hpp"
#include "services/ingress/service.hpp"
#include "tests/component/sip_peer.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/call/v1/call.pb.h"
#include "tollgate/control/v1/control.rpc.h"
#include "tollgate/routing/v1/routing.rpc.h"

namespace tollgate::component {

class IngressWorld : public ::testing::Test {
 protected:
  using AuthorizeAnswer = std::function<auth::v1::AuthorizeReply(const auth::v1::AuthorizeRequest&)>;
  using RouteAnswer = std::function<routing::v1::RouteReply(const routing::v1::RouteRequest&)>;
  using ReserveAnswer = std::function<billing::v1::ReserveReply(const billing::v1::ReserveRequest&)>;
  using OccupyAnswer = std::function<billing::v1::OccupyReply(const billing::v1::OccupyRequest&)>;
  using ExtendAnswer = std::function<billing::v1::ExtendReply(const billing::v1::ExtendRequest&)>;

  void SetUp() override {
    bus::ConnectionSettings at;
    at.url = nats_.url();
    at.name = "test";
    connection_ = bus::Connection::open(at, bus::ConnectionKind::kRequests).value();
    ASSERT_TRUE(testkit::waitUntil([&] { return connection_->isConnected(); }));
    ASSERT_TRUE(bus::ensureRecordStream(*connection_, {}));
    serve();
    watch();
    startIngress();
  }

  void TearDown() override {
    ingress_.reset();
    subscription_.reset();
    server_.reset();
  }

  void startIngress() {
    settings_.bus.url = nats_.url();
    settings_.bus.name = "ingress";
    settings_.listen = {{"127.0.0.1", 0}};
    settings_.spool_dir = folder_.file("spool");
    settings_.spool_bytes_max = spool_bytes_max_;
    settings_.networks_poll = std::chrono::milliseconds(100);
    settings_.unknown_source_summary = std::chrono::seconds(1);
    settings_.record_ack_timeout = std::chrono::milliseconds(500);
    ingress_ = std::make_unique<ingress::IngressService>(settings_);
    const auto started = ingress_->start(runtime_);
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_TRUE(testkit::waitUntil([&] { return ingress_->ready().ready; })) << ingress_->ready().error;
    caller_.answerTo(ingress_->sipPort());
    for (auto* carrier : {&carrier_, &second_}) {
      carrier->answerTo(ingress_->sipPort());
    }
  }

  // Ordinary answers: trunk 10 of customer 1 with tech prefix 55, one carrier trunk 20 at carrier_, 60 paid seconds.
  static auth::v1::AuthorizeReply identified(const auth::v1::AuthorizeRequest& request) {
    auth::v1::AuthorizeReply reply;
    auto& who = *reply.mutable_identified();
    who.set_customer_id(1);
    who.set_trunk_id(10);
    who.set_source_row_id(100);
    who.set_called(request.called().substr(2));
    who.set_caller(request.caller());
    who.add_codecs(common::v1::CODEC_PCMU);
    who.add_codecs(common::v1::CODEC_PCMA);
    return reply;
  }
  static void addCandidate(routing::v1::RouteReply& reply, std::int64_t trunk, const std::vector<const SipPeer*>& endpoints) {
    auto& routed = *reply.mutable_routed();
    routed.set_rule_id(5);
    routed.set_rule_code("44");
    routed.set_dialpeer_id(6);
    auto& candidate = *routed.add_candidates();
    candidate.set_trunk_id(trunk);
    candidate.set_customer_id(2);
    for (const auto* peer : endpoints) {
      auto& endpoint = *candidate.add_endpoints();
      endpoint.set_endpoint_id(trunk * 10);
      endpoint.set_address("127.0.0.1");
      endpoint.set_port(peer->port());
      endpoint.set_transport(common::v1::TRANSPORT_UDP);
    }
  }
  static billing::v1::ReserveReply reserved(std::uint32_t paid_seconds, std::uint32_t index = 0) {
    billing::v1::ReserveReply reply;
    auto& made = *reply.mutable_reserved();
    made.mutable_rate()->set_plan_id(3);
    made.mutable_rate()->set_currency("USD");
    made.mutable_rate()->set_per_minute_micros(600'000);
    made.mutable_rate()->set_billing_block_seconds(1);
    made.set_held_micros(600'000);
    made.set_paid_seconds(paid_seconds);
    made.set_heartbeat_seconds(20);
    made.mutable_occupied()->set_index(index);
    return reply;
  }

  // Replaces how a stage answers, from now on.
  template <class Slot, class Answer>
  void answer(Slot& slot, Answer answer) {
    const std::lock_guard lock(mutex_);
    slot = std::move(answer);
  }

  void authorizeNetworks(std::vector<std::string> networks) {
    const std::lock_guard lock(mutex_);
    networks_ = std::move(networks);
    ++networks_version_;
  }

  // Waits for the record `verb` of the only call so far.
  template <class Message>
  Message record(const std::string& verb) {
    Message message;
    const auto arrived = testkit::waitUntil([&] {
      const std::lock_guard lock(mutex_);
      for (const auto& [subject, data] : events_) {
        if (subject.starts_with("tg.evt.call.v1." + verb + ".")) {
          return message.ParseFromString(data);
        }
      }
      return false;
    });
    EXPECT_TRUE(arrived) << "no call." << verb;
    return message;
  }
  int count(const std::string& verb) {
    const std::lock_guard lock(mutex_);
    int found = 0;
    for (const auto& [subject, data] : events_) {
      found += subject.starts_with("tg.evt.call.v1." + verb + ".") ? 1 : 0;
    }
    return found;
  }
  void forgetEvents() {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }

  // An answered call: the caller's 200, the carrier's INVITE.
  struct Talk {
    std::string ok;
    std::string carrier_invite;
  };
  Talk talk(const std::string& number = "55447700900123") {
    Talk made;
    caller_.send(caller_.request("INVITE", number, 1, "", sdp("caller")));
    made.carrier_invite = carrier_.expect("INVITE");
    carrier_.send(carrier_.response(made.carrier_invite, 180));
    carrier_.send(carrier_.response(made.carrier_invite, 200, sdp("carrier", "0")));
    made.ok = caller_.expect("SIP/2.0 200");
    (void)carrier_.expect("ACK");
    caller_.send(caller_.request("ACK", number, 1, SipPeer::toTag(made.ok), ""));
    return made;
  }
  void hangUp(const Talk& talk, const std::string& number = "55447700900123") {
    caller_.send(caller_.request("BYE", number, 2, SipPeer::toTag(talk.ok), ""));
    (void)caller_.expect("SIP/2.0 200");
    const auto bye = carrier_.expect("BYE");
    carrier_.send(carrier_.response(bye, 200));
  }

  template <bus::ControlVerb Def>
  std::vector<typename Def::Reply> control(const typename Def::Request& request, std::size_t enough = 1) {
    return bus::gather<Def>(*connection_, request, enough, std::chrono::seconds(5));
  }

  testkit::NatsServer nats_;
  testkit::TempDir folder_;
  telemetry::Metrics metrics_;
  service::Runtime runtime_{"ingress-test", metrics_};
  std::int64_t spool_bytes_max_ = 100'000'000;
  ingress::Settings settings_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<ingress::IngressService> ingress_;
  SipPeer caller_;
  SipPeer carrier_;
  SipPeer second_;

  // Under mutex_.
  std::mutex mutex_;
  AuthorizeAnswer on_authorize_ = identified;
  RouteAnswer on_route_ = [this](const auto&) {
    routing::v1::RouteReply reply;
    addCandidate(reply, 20, {&carrier_});
    return reply;
  };
  ReserveAnswer on_reserve_ = [](const auto&) { return reserved(60); };
  OccupyAnswer on_occupy_ = [](const auto&) {
    billing::v1::OccupyReply reply;
    reply.mutable_occupied()->set_index(0);
    return reply;
  };
  ExtendAnswer on_extend_ = [](const billing::v1::ExtendRequest& request) {
    billing::v1::ExtendReply reply;
    reply.set_paid_seconds(request.want_paid_seconds());
    return reply;
  };
  std::vector<std::string> networks_{"127.0.0.0/8"};
  std::uint64_t networks_version_ = 1;
  std::vector<std::pair<std::string, std::string>> events_;
  std::atomic<int> authorized_{0};
  std::atomic<int> routed_{0};
  std::atomic<int> reserved_count_{0};

 private:
  // Answers Def from the slot, which may be replaced under the mutex at any time.
  template <class Def, class Slot>
  void serveFrom(Slot& slot, std::atomic<int>* counter) {
    ASSERT_TRUE(
        server_->serve<Def>([this, &slot, counter](const bus::RpcContext&, const auto& request, bus::Responder<typename Def::Reply> to) {
          if (counter != nullptr) {
            ++*counter;
          }
          Slot answer;
          {
            const std::lock_guard lock(mutex_);
            answer = slot;
          }
          to.reply(answer(request));
        }));
  }

  void serve() {
    server_ = std::make_unique<bus::RpcServer>(*connection_);
    serveFrom<auth::v1::Auth::Authorize>(on_authorize_, &authorized_);
    serveFrom<auth::v1::Auth::ListNetworks>(on_networks_, nullptr);
    serveFrom<routing::v1::Routing::Route>(on_route_, &routed_);
    serveFrom<billing::v1::Billing::Reserve>(on_reserve_, &reserved_count_);
    serveFrom<billing::v1::Billing::Occupy>(on_occupy_, nullptr);
    serveFrom<billing::v1::Billing::Extend>(on_extend_, nullptr);
  }

  void watch() {
    auto made = connection_->subscribe(bus::subjects::kAllCallEvents, "", [this](const bus::Delivery& event) {
      const std::lock_guard lock(mutex_);
      events_.emplace_back(event.subject, event.data);
    });
    ASSERT_TRUE(made);
    subscription_ = std::make_unique<bus::Subscription>(std::move(*made));
    ASSERT_TRUE(connection_->flush(std::chrono::seconds(5)));
  }

  std::function<auth::v1::ListNetworksReply(const auth::v1::ListNetworksRequest&)> on_networks_ =
      [this](const auth::v1::ListNetworksRequest& request) {
        auth::v1::ListNetworksReply reply;
        const std::lock_guard lock(mutex_);
        reply.set_version(networks_version_);
        reply.set_unchanged(request.known_version() == networks_version_);
        if (!reply.unchanged()) {
          for (const auto& network : networks_) {
            reply.add_networks()->set_cidr(network);
          }
        }
        return reply;
      };
  std::unique_ptr<bus::RpcServer> server_;
  std::unique_ptr<bus::Subscription> subscription_;
};

}  // namespace tollgate::component
