// The ingress and unknown sources, an absent bus, operators, and its own end.
#include <future>

#include "tests/component/ingress_world.hpp"

namespace tollgate::component {
namespace {

constexpr const char* kNumber = "55447700900123";

class IngressOutageTest : public IngressWorld {
 protected:
  // Asks with OPTIONS, a new one each time, until the answer begins so.
  [[nodiscard]] bool optionsAnswered(const std::string& start) {
    return testkit::waitUntil([&] {
      caller_.newCall("options" + std::to_string(++asked_));
      caller_.send(caller_.request("OPTIONS", kNumber, 1, "", ""));
      const auto reply = caller_.receive(std::chrono::seconds(5));
      return reply && reply->starts_with(start);
    });
  }

 private:
  int asked_ = 0;
};

// REQUIREMENTS 2.4: an unknown source gets 403, and its messages do not reach the bus; a change of the list applies to the next INVITE.
TEST_F(IngressOutageTest, RefusesUnknownSourcesUntilTheirNetworkIsAuthorised) {
  authorizeNetworks({"192.0.2.0/24"});
  ASSERT_TRUE(optionsAnswered("SIP/2.0 403"));
  const int asked = authorized_;
  caller_.newCall("unknown-source");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 403"), "Reason"), "Q.850;cause=21;text=\"unknown_source\"");
  EXPECT_EQ(authorized_, asked);
  EXPECT_EQ(count("rejected"), 0);
  authorizeNetworks({"127.0.0.1/32"});
  ASSERT_TRUE(optionsAnswered("SIP/2.0 200"));
  // REQUIREMENTS 10.1: unknown sources are counted summaries.
  const auto summary = record<call::v1::UnknownSources>("unknown_sources");
  ASSERT_EQ(summary.sources_size(), 1);
  EXPECT_EQ(summary.sources(0).address(), "127.0.0.1");
  EXPECT_GE(summary.sources(0).messages(), 2U);
}

// REQUIREMENTS 12.2, 12.3: without the bus the call goes on and new calls get 503; when the bus is back, the record is published.
TEST_F(IngressOutageTest, KeepsCallsAndRecordsWhileTheBusIsDownAndRecoversWithoutAnOperator) {
  const auto made = talk();
  nats_.stop();
  ASSERT_TRUE(testkit::waitUntil([&] { return !ingress_->ready().ready; }));
  hangUp(made);
  caller_.newCall("refused");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  const auto refusal = caller_.expect("SIP/2.0 503");
  EXPECT_EQ(headerOf(refusal, "Reason"), "Q.850;cause=41;text=\"decision_unavailable\"");
  EXPECT_NE(headerOf(refusal, "Retry-After"), "");
  EXPECT_FALSE(ingress_->drained());
  nats_.start();
  EXPECT_EQ(record<call::v1::CallEnded>("ended").record().reason(), common::v1::REASON_NORMAL);
  EXPECT_EQ(record<call::v1::CallRejected>("rejected").record().reason(), common::v1::REASON_DECISION_UNAVAILABLE);
  ASSERT_TRUE(testkit::waitUntil([&] { return ingress_->ready().ready && ingress_->drained(); }));
  caller_.newCall("again");
  forgetEvents();
  hangUp(talk());
  (void)record<call::v1::CallEnded>("ended");
}

// REQUIREMENTS 12.3: refused calls never take the room of the records of running calls.
TEST_F(IngressOutageTest, RefusesNewCallsWithoutARecordWhenTheSpoolIsNearlyFull) {
  ingress_.reset();
  spool_bytes_max_ = 60'000;
  startIngress();
  const auto made = talk();
  nats_.stop();
  int refused = 0;
  ASSERT_TRUE(testkit::waitUntil(
      [&] {
        second_.newCall("refused" + std::to_string(++refused));
        second_.send(second_.request("INVITE", kNumber, 1, "", sdp("caller")));
        return headerOf(second_.expect("SIP/2.0 503"), "Reason") == "Q.850;cause=42;text=\"overloaded\"";
      },
      std::chrono::seconds(60)));
  hangUp(made);
  nats_.start();
  EXPECT_EQ(record<call::v1::CallEnded>("ended").record().reason(), common::v1::REASON_NORMAL);
  // The refused calls are counted.
  const auto summary = record<call::v1::UnknownSources>("unknown_sources");
  ASSERT_EQ(summary.sources_size(), 1);
  EXPECT_EQ(summary.sources(0).reason(), common::v1::REASON_OVERLOADED);
  EXPECT_EQ(summary.sources(0).address(), "127.0.0.1");
  forgetEvents();
  EXPECT_TRUE(testkit::waitUntil([&] { return ingress_->ready().ready && ingress_->drained(); }));
  EXPECT_TRUE(optionsAnswered("SIP/2.0 200"));
}

// A call that waits for billing's answer when its instance stops leaves a record, which names what billing may have taken for it.
TEST_F(IngressOutageTest, ACallWhoseDecisionIsPendingLeavesARecordWhenItsInstanceStops) {
  std::promise<void> stopped;
  std::promise<void> asked;
  answer(on_reserve_, [&asked, over = stopped.get_future().share()](const auto&) {
    asked.set_value();
    (void)over.wait_for(std::chrono::seconds(10));
    return reserved(60);
  });
  ingress_.reset();
  settings_.billing_timeout = std::chrono::seconds(2);
  startIngress();
  caller_.newCall("pending");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  asked.get_future().wait();
  ingress_.reset();
  stopped.set_value();
  const auto rejected = record<call::v1::CallRejected>("rejected").record();
  EXPECT_EQ(rejected.reason(), common::v1::REASON_DRAINING);
  ASSERT_EQ(rejected.asked_trunk_ids_size(), 1);
  EXPECT_EQ(rejected.asked_trunk_ids(0), 20);
}

TEST_F(IngressOutageTest, RejectsWhenAStageDoesNotAnswer) {
  std::promise<void> refused;
  answer(on_route_, [over = refused.get_future().share()](const auto&) {
    (void)over.wait_for(std::chrono::seconds(10));  // no answer before the ingress has given up
    return routing::v1::RouteReply();
  });
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 503"), "Reason"), "Q.850;cause=41;text=\"decision_unavailable\"");
  EXPECT_EQ(record<call::v1::CallRejected>("rejected").record().reason(), common::v1::REASON_DECISION_UNAVAILABLE);
  refused.set_value();
}

// Billing's answer comes after the time-out of the ingress: it may have taken a slot, so the record names the trunks that were asked for.
TEST_F(IngressOutageTest, NamesTheTrunksItAskedForWhenBillingsAnswerComesTooLate) {
  std::promise<void> refused;
  answer(on_reserve_, [over = refused.get_future().share()](const auto&) {
    (void)over.wait_for(std::chrono::seconds(10));  // no answer before the ingress has given up
    return reserved(60);
  });
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  EXPECT_EQ(headerOf(caller_.expect("SIP/2.0 503"), "Reason"), "Q.850;cause=41;text=\"decision_unavailable\"");
  const auto record = this->record<call::v1::CallRejected>("rejected").record();
  ASSERT_EQ(record.asked_trunk_ids_size(), 1);
  EXPECT_EQ(record.asked_trunk_ids(0), 20);
  EXPECT_EQ(record.carrier_trunk_id(), 0);
  refused.set_value();
}

// REQUIREMENTS 6.8: hung up by an operator, whom the record names.
TEST_F(IngressOutageTest, HangsUpWhatAnOperatorAsksAndReportsItsCalls) {
  (void)talk();
  const auto reports = control<control::v1::Ingress::ReportCalls>({});
  ASSERT_EQ(reports.size(), 1U);
  ASSERT_EQ(reports[0].calls_size(), 1);
  EXPECT_EQ(reports[0].instance(), "ingress-test");
  EXPECT_EQ(reports[0].calls(0).phase(), control::v1::CALL_PHASE_TALKING);
  control::v1::HangupRequest request;
  request.set_call_id(reports[0].calls(0).call_id());
  request.set_author("anna");
  const auto replies = control<control::v1::Ingress::Hangup>(request);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_TRUE(replies[0].done());
  EXPECT_EQ(headerOf(caller_.expect("BYE"), "Reason"), "Q.850;cause=16;text=\"hangup_by_operator\"");
  (void)carrier_.expect("BYE");
  const auto ended = record<call::v1::CallEnded>("ended").record();
  EXPECT_EQ(ended.ended_by(), call::v1::ENDED_BY_OPERATOR);
  EXPECT_EQ(ended.ended_by_user(), "anna");
}

// REQUIREMENTS 6.9.
TEST_F(IngressOutageTest, DrainsByRefusingNewCallsUntilTheLastHasEnded) {
  const auto made = talk();
  ingress_->drain();
  ASSERT_TRUE(optionsAnswered("SIP/2.0 503"));
  caller_.newCall("late");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", sdp("caller")));
  const auto refusal = caller_.expect("SIP/2.0 503");
  EXPECT_EQ(headerOf(refusal, "Reason"), "Q.850;cause=42;text=\"draining\"");
  EXPECT_NE(headerOf(refusal, "Retry-After"), "");
  EXPECT_FALSE(ingress_->drained());
  caller_.newCall("1");
  hangUp(made);
  EXPECT_TRUE(testkit::waitUntil([&] { return ingress_->drained(); }));
}

TEST_F(IngressOutageTest, EndsItsCallsWithAByeWhenStopped) {
  (void)talk();
  ingress_->stop();
  (void)caller_.expect("BYE");
  (void)carrier_.expect("BYE");
  // The record is on disk, and published by the next start.
  startIngress();
  EXPECT_EQ(record<call::v1::CallEnded>("ended").record().reason(), common::v1::REASON_DRAINING);
}

// Security: noise is answered or dropped, and the next call works.
TEST_F(IngressOutageTest, SurvivesNoiseAndSdpBombs) {
  caller_.send(std::string(60'000, 'x'));
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "X-Header-" + std::to_string(i) + ": value\r\n";
  }
  caller_.newCall("headers");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", "", many));
  (void)caller_.expect("SIP/2.0 100");
  (void)carrier_.expect("INVITE");
  caller_.send(caller_.request("CANCEL", kNumber, 1, "", ""));
  (void)caller_.expect("SIP/2.0 487");
  caller_.newCall("bomb");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=image 4000 udptl (\r\n"));
  EXPECT_TRUE(caller_.expect("SIP/2.0 4").starts_with("SIP/2.0 4"));
  caller_.newCall("offerless-garbage");
  caller_.send(caller_.request("INVITE", kNumber, 1, "", "\x01\x02garbage"));
  (void)caller_.expect("SIP/2.0 400");
  caller_.newCall("after");
  hangUp(talk());
}

}  // namespace
}  // namespace tollgate::component
