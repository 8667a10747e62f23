// tollgate-billing when something is killed: Redis, MySQL, the ingress of a call, billing itself. After each test the books agree
// (REQUIREMENTS 9.6).
#include <csignal>

#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingOutage : public BillingSuite {
 protected:
  void TearDown() override {
    world_->clearLive();
    BillingSuite::TearDown();
    // REQUIREMENTS 9.5: the drift metric reads 0.
    EXPECT_EQ(world_->billing().metric("tollgate_billing_hold_drift_micros").value_or(-1), 0);
  }

  struct Talking {
    Party party;
    std::string call;
    billing::v1::Reserved reserved;
    call::v1::CallRecord record;
  };
  // A funded customer with an answered call.
  static Talking startCall() {
    Talking made;
    made.party = world_->makeParty();
    EXPECT_TRUE(world_->pay(made.party, kUnit, "first").has_value());
    made.call = world_->newCall();
    const auto reply = world_->reserve(made.call, made.party, {carrier_});
    EXPECT_TRUE(reply.has_value() && reply->has_reserved());
    made.reserved = reply->reserved();
    made.record = BillingWorld::record(made.party, carrier_, made.reserved, 0);
    return made;
  }
  static bool confirm(const Talking& talking, std::uint32_t confirmed) {
    return world_->extend(talking.call, talking.party, carrier_, talking.reserved.rate(), confirmed, 0).has_value();
  }
};

// REQUIREMENTS 9.4: Redis is rebuilt from the ledger and the live calls; until then new calls are refused and none is free.
TEST_F(BillingOutage, AnEmptyRedisIsRebuiltWithoutAnOperator) {
  const Talking talking = startCall();
  call::v1::CallRecord live = talking.record;
  live.set_paid_seconds(60);
  world_->setLive(talking.call, live, talking.reserved.held_micros());
  ASSERT_TRUE(world_->redisClient().wait({"FLUSHALL"}).has_value());
  // Until it is rebuilt the answer is an error (decision_unavailable), never a grant.
  const auto refused = world_->reserve(world_->newCall(), talking.party, {carrier_});
  EXPECT_FALSE(refused.has_value());
  ASSERT_TRUE(waitUntil([&] { return world_->balance(talking.party).has_value(); }));
  const auto balance = world_->balance(talking.party);
  EXPECT_EQ(balance->posted().micros(), kUnit);
  EXPECT_EQ(balance->held_micros(), 60'000);
  EXPECT_EQ(world_->load(talking.party).incoming(), 1U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 1U);
  world_->clearLive();
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 20));
  EXPECT_TRUE(world_->waitIdle(talking.party));
  EXPECT_EQ(world_->balance(talking.party)->posted().micros(), kUnit - 20'000);
}

TEST_F(BillingOutage, ARestartedRedisIsRebuiltWithoutAnOperator) {
  const Talking talking = startCall();
  world_->setLive(talking.call, talking.record, talking.reserved.held_micros());
  world_->redis().kill();
  EXPECT_TRUE(waitUntil([&] { return !world_->reserve(world_->newCall(), talking.party, {carrier_}).has_value(); }));
  // The call ends meanwhile: the ledger has its charge first, and Redis gets it later.
  world_->clearLive();
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 33));
  ASSERT_TRUE(world_->waitCdr(talking.call));
  world_->redis().start();
  ASSERT_TRUE(waitUntil([&] { return world_->balance(talking.party).has_value(); }, seconds(20)));
  EXPECT_TRUE(waitUntil([&] { return world_->balance(talking.party)->posted().micros() == kUnit - 33'000; }));
  EXPECT_TRUE(world_->waitIdle(talking.party));
  const std::string next = world_->newCall();
  EXPECT_TRUE(waitUntil([&] { return world_->reserve(next, talking.party, {carrier_}).has_value(); }));
  world_->publishRejected(next, BillingWorld::record(talking.party, carrier_, talking.reserved, std::nullopt));
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

// REQUIREMENTS 9.5, 9.6: the instance is lost, so the lease closes the call. If the true record arrives later, it corrects the CDR.
TEST_F(BillingOutage, ALostInstanceIsClosedByTheLease) {
  const Talking talking = startCall();
  world_->publishAnswered(talking.call, talking.record);
  ASSERT_TRUE(confirm(talking, 7));
  ASSERT_TRUE(world_->waitCdr(talking.call, seconds(30)));
  EXPECT_EQ(world_->cdr(talking.call, "reason, talked_seconds, charge_micros, ended_by, ingress_sip_call_id"),
            "instance_lost\t7\t7000\ttollgate\ta-leg@example");
  EXPECT_TRUE(world_->waitIdle(talking.party));
  EXPECT_EQ(world_->balance(talking.party)->posted().micros(), kUnit - 7'000);

  const auto truth = BillingWorld::record(talking.party, carrier_, talking.reserved, 11);
  world_->publishEnded(talking.call, truth);
  EXPECT_TRUE(waitUntil([&] { return world_->cdr(talking.call, "reason, charge_micros") == "normal\t11000"; }));
  world_->publishEnded(talking.call, truth, "once more");
  EXPECT_TRUE(waitUntil([&] { return world_->balance(talking.party)->posted().micros() == kUnit - 11'000; }));
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM ledger_entries WHERE transfer_id = 'call:" + talking.call + ":correction'"), 2);
}

TEST_F(BillingOutage, AHeartbeatKeepsTheCall) {
  const Talking talking = startCall();
  const auto until = std::chrono::steady_clock::now() + seconds(5);  // longer than the lease
  std::uint32_t confirmed = 0;
  EXPECT_TRUE(waitUntil(
      [&] {
        EXPECT_TRUE(confirm(talking, ++confirmed % 50));
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(10)));
  EXPECT_EQ(world_->cdrCount(talking.call), 0);
  EXPECT_EQ(world_->balance(talking.party)->live_holds(), 1U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 1U);
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 5));
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

// REQUIREMENTS 12.2, 9.6: MySQL is down while calls end: no record is lost, and slots are freed immediately.
TEST_F(BillingOutage, NoRecordIsLostWhileMySqlIsDown) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  constexpr int kCalls = 40;
  std::vector<std::string> calls;
  world_->maria().kill();
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(world_->newCall());
    const auto reply = world_->reserve(calls.back(), party, {carrier_});
    ASSERT_TRUE(reply.has_value() && reply->has_reserved());
    world_->publishEnded(calls.back(), BillingWorld::record(party, carrier_, reply->reserved(), 1));
  }
  EXPECT_TRUE(waitUntil([&] { return world_->load(party).incoming() == 0; }));
  // The charges are still held, so no call is free although the ledger does not have them yet.
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->held_micros() == kCalls * 1'000; }));
  EXPECT_FALSE(world_->pay(party, kUnit, "meanwhile").has_value());
  world_->maria().start();
  EXPECT_TRUE(
      waitUntil([&] { return world_->number("SELECT COUNT(*) FROM cdrs WHERE customer_id = " + std::to_string(party.customer)) == kCalls; },
                seconds(30)));
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - kCalls * 1'000);
  EXPECT_TRUE(waitUntil([&] { return world_->pay(party, kUnit, "meanwhile").has_value(); }));
}

// REQUIREMENTS 9.6: billing killed in the middle of a flood of records.
TEST_F(BillingOutage, BillingKilledWritesEachCallOnce) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  constexpr int kCalls = 60;
  for (int i = 0; i < kCalls; ++i) {
    const std::string call = world_->newCall();
    const auto reply = world_->reserve(call, party, {carrier_});
    ASSERT_TRUE(reply.has_value() && reply->has_reserved());
    if (i == kCalls / 2) {
      world_->billing().kill();
    }
    world_->publishEnded(call, BillingWorld::record(party, carrier_, reply->reserved(), 2));
    if (i == kCalls / 2) {
      world_->billing().start();
    }
  }
  EXPECT_TRUE(
      waitUntil([&] { return world_->number("SELECT COUNT(*) FROM cdrs WHERE customer_id = " + std::to_string(party.customer)) == kCalls; },
                seconds(60)));
  EXPECT_TRUE(world_->waitIdle(party, seconds(20)));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - kCalls * 2'000);
}

}  // namespace
}  // namespace tollgate::component
