// tollgate-billing and the record stream: capacity comes back without MySQL, a stream or consumer that disappears is made again. After each
// test the books agree.
#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingStream : public BillingSuite {
 protected:
  // A request to the JetStream API, as an operator's tool makes it; the answer.
  static std::string askServer(const std::string& subject, const std::string& body = "") {
    const auto replies = bus::gatherReplies(world_->events(), "$JS.API." + subject, body, 1, seconds(5));
    return replies.empty() ? std::string() : replies.front();
  }
  static bool isHealed() {
    return waitUntil([] { return world_->billing().isReady() && bus::readProgress(world_->events()).has_value(); }, seconds(15));
  }
  static double repairs() { return world_->billing().metric("tollgate_billing_stream_repairs_total").value_or(-1); }

  struct Reserved {
    std::string call;
    billing::v1::Reserved reserved;
  };
  static Reserved startCall(const Party& party) {
    const std::string call = world_->newCall();
    const auto reply = world_->reserve(call, party, {carrier_});
    EXPECT_TRUE(reply.has_value() && reply->has_reserved());
    return {call, reply->reserved()};
  }
  static void endCall(const Party& party, const Reserved& call, std::int64_t talked) {
    world_->publishEnded(call.call, BillingWorld::record(party, carrier_, call.reserved, talked));
  }
  static Party makeFunded() {
    const Party party = world_->makeParty();
    EXPECT_TRUE(world_->pay(party, kUnit, "first").has_value());
    return party;
  }
  // A whole paid call.
  static void expectACallIsBooked() {
    const Party party = makeFunded();
    const Reserved call = startCall(party);
    endCall(party, call, 4);
    EXPECT_TRUE(world_->waitCdr(call.call));
    EXPECT_TRUE(world_->waitIdle(party));
    EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 4'000);
  }
};

// MySQL is away and 30,000 calls end: the slots of all come back, and billing needs no memory for it.
TEST_F(BillingStream, AllSlotsComeBackWhileMySqlIsAway) {
  constexpr int kCalls = 30'000;
  constexpr int kAtTheEnd = 20;
  PartyOptions options;
  options.unlimited = true;
  options.billing_type = "postpaid";
  const Party party = world_->makeParty(options);
  std::vector<Reserved> last;
  for (int i = 0; i < kAtTheEnd; ++i) {
    last.push_back(startCall(party));
  }
  world_->maria().kill();
  auto record = BillingWorld::record(party, carrier_, last.front().reserved, 1);
  std::atomic<int> stored{0};
  bus::RecordPublisher publisher(world_->events(), seconds(30));
  for (int i = 0; i < kCalls - kAtTheEnd; ++i) {
    call::v1::CallEnded ended;
    ended.mutable_header()->set_call_id(world_->newCall());
    ended.mutable_header()->set_instance("ingress-1");
    *ended.mutable_header()->mutable_at() = record.ended_at();
    *ended.mutable_record() = record;
    publisher.publish("tg.evt.call.v1.ended.1", ended.header().call_id() + ".9", ended.SerializeAsString(),
                      [&](const auto& result) { stored += result ? 1 : 0; });
    if (i % 1000 == 999) {
      ASSERT_TRUE(waitUntil([&] { return stored == i + 1; }, seconds(30)));
    }
  }
  ASSERT_TRUE(waitUntil([&] { return stored == kCalls - kAtTheEnd; }, seconds(30)));
  for (const Reserved& call : last) {
    endCall(party, call, 1);
  }
  EXPECT_TRUE(waitUntil([&] { return world_->load(party).incoming() == 0 && world_->load(carrier_).outgoing() == 0; }, seconds(30)));
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->held_micros() == kAtTheEnd * 1'000; })) << "holds are the charges";
  EXPECT_LE(world_->billing().metric("tollgate_billing_records_unacknowledged").value_or(1e9), 2'000);
  world_->maria().start();
  EXPECT_TRUE(
      waitUntil([&] { return world_->number("SELECT COUNT(*) FROM cdrs WHERE customer_id = " + std::to_string(party.customer)) == kCalls; },
                seconds(120)));
  EXPECT_TRUE(world_->waitIdle(party));
}

TEST_F(BillingStream, ADeletedConsumerIsMadeAgain) {
  for (const char* consumer : {"billing", "slots"}) {
    const double before = repairs();
    ASSERT_NE(askServer("CONSUMER.DELETE.CALL_EVENTS." + std::string(consumer)).find("true"), std::string::npos);
    EXPECT_TRUE(waitUntil([&] { return repairs() == before + 1; }, seconds(5)));
    EXPECT_TRUE(isHealed());
    expectACallIsBooked();
  }
}

TEST_F(BillingStream, ADeletedStreamIsMadeAgain) {
  const double before = repairs();
  ASSERT_NE(askServer("STREAM.DELETE.CALL_EVENTS").find("true"), std::string::npos);
  EXPECT_TRUE(waitUntil([&] { return repairs() == before + 1; }, seconds(5)));
  EXPECT_TRUE(isHealed());
  expectACallIsBooked();
}

// The disk of the bus is lost, or the services are connected to another cluster.
TEST_F(BillingStream, AWipedStoreIsFilledAgain) {
  const Party party = makeFunded();
  const Reserved talking = startCall(party);
  world_->nats().kill();
  ASSERT_TRUE(waitUntil([&] { return !world_->billing().isReady(); }));
  world_->nats().wipe();
  world_->nats().start();
  EXPECT_TRUE(isHealed());
  EXPECT_TRUE(waitUntil([&] { return world_->events().isConnected(); }, seconds(20)));
  endCall(party, talking, 3);
  EXPECT_TRUE(world_->waitCdr(talking.call, seconds(20)));
  EXPECT_TRUE(world_->waitIdle(party));
  expectACallIsBooked();
}

// The record of a lost call is made from what its hold keeps, not from a sequence of a stream that may be another one by now.
TEST_F(BillingStream, ALostCallHasItsOwnRecordAfterTheStoreWasWiped) {
  const Party party = makeFunded();
  const Reserved lost = startCall(party);
  auto record = BillingWorld::record(party, carrier_, lost.reserved, 0);
  record.set_ingress_sip_call_id("its own");
  world_->publishAnswered(lost.call, record);
  const std::string hold = "{c" + std::to_string(party.customer) + "}:hold:" + lost.call;
  ASSERT_TRUE(waitUntil([&] {
    const auto kept = world_->redisClient().wait({"HGET", hold, "record"});
    return kept && kept->text.find("its own") != std::string::npos;
  }));
  ASSERT_NE(askServer("STREAM.DELETE.CALL_EVENTS").find("true"), std::string::npos);
  EXPECT_TRUE(isHealed());
  // The same sequences are records of another call now.
  const Party other = makeFunded();
  const Reserved another = startCall(other);
  auto others = BillingWorld::record(other, carrier_, another.reserved, 0);
  others.set_ingress_sip_call_id("another call");
  world_->publishAnswered(another.call, others);
  endCall(other, another, 1);
  ASSERT_TRUE(world_->waitCdr(lost.call, seconds(40)));
  EXPECT_EQ(world_->cdr(lost.call, "ingress_sip_call_id, customer_id"), "its own\t" + std::to_string(party.customer));
  EXPECT_TRUE(world_->waitIdle(party));
}

}  // namespace
}  // namespace tollgate::component
