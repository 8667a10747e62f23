// Paid time is a promise, and silence is not "no calls" (REQUIREMENTS 9.1, 9.4, 9.5): what happens to the holds of an ingress that is
// frozen, cut off, stopped or gone.
#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr std::int64_t kQuantumMicros = 60'000;  // what a minute costs

class BillingPromise : public BillingSuite {
 protected:
  struct Talking {
    Party party;
    std::string call;
    billing::v1::Reserved reserved;
    call::v1::CallRecord record;
  };
  // A customer who can pay for this long, with an answered call.
  static Talking startCall(std::int64_t balance_micros) {
    Talking made;
    made.party = world_->makeParty();
    EXPECT_TRUE(world_->pay(made.party, balance_micros, "first").has_value());
    made.call = world_->newCall();
    const auto reply = world_->reserve(made.call, made.party, {carrier_});
    EXPECT_TRUE(reply.has_value() && reply->has_reserved());
    made.reserved = reply->reserved();
    made.record = BillingWorld::record(made.party, carrier_, made.reserved, 0);
    made.record.set_paid_seconds(made.reserved.paid_seconds());
    return made;
  }
  static bool isRefused(const Party& party) {
    const auto reply = world_->reserve(world_->newCall(), party, {carrier_});
    return reply.has_value() && reply->has_refusal();
  }
  void SetUp() override { world_->announce(false); }
  void TearDown() override {
    world_->setSilent(false);
    world_->clearLive();
    BillingSuite::TearDown();
  }
};

// An ingress that is frozen for longer than the lease keeps its call, and nobody spends what it has paid.
TEST_F(BillingPromise, TheHoldOfAFrozenIngressStaysForAllItsPaidTime) {
  const Talking talking = startCall(kQuantumMicros);
  world_->setLive(talking.call, talking.record, talking.reserved.held_micros());
  world_->setSilent(true);
  const auto until = std::chrono::steady_clock::now() + seconds(9);  // three leases; longer than an instance may be silent
  EXPECT_TRUE(waitUntil(
      [&] {
        EXPECT_TRUE(isRefused(talking.party));
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(20)));
  EXPECT_EQ(world_->cdrCount(talking.call), 0);
  world_->setSilent(false);
  world_->clearLive();
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 60));
  ASSERT_TRUE(world_->waitCdr(talking.call));
  EXPECT_TRUE(world_->waitIdle(talking.party));
  EXPECT_EQ(world_->cdr(talking.call, "reason, charge_micros"), "normal\t60000");
  EXPECT_EQ(world_->balance(talking.party)->posted().micros(), 0);
}

// Its ingress has it, so a call whose heartbeats are lost is not closed.
TEST_F(BillingPromise, ACallThatItsIngressHasIsNotClosed) {
  const Talking talking = startCall(kQuantumMicros);
  world_->setLive(talking.call, talking.record, talking.reserved.held_micros());
  const auto until = std::chrono::steady_clock::now() + seconds(7);
  EXPECT_TRUE(waitUntil(
      [&] {
        world_->announce(false);
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(20)));
  EXPECT_EQ(world_->cdrCount(talking.call), 0);
  EXPECT_EQ(world_->balance(talking.party)->live_holds(), 1U);
  world_->clearLive();
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 9));
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

TEST_F(BillingPromise, TheCallOfAStoppedIngressIsClosed) {
  const Talking talking = startCall(kQuantumMicros);
  world_->setSilent(true);
  world_->announce(true);
  ASSERT_TRUE(world_->waitCdr(talking.call, seconds(15)));
  EXPECT_EQ(world_->cdr(talking.call, "reason"), "instance_lost");
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

// A host that never comes back: silent for long, and all that was promised has ended (2 s of talking time, 2 s of grace).
TEST_F(BillingPromise, TheCallOfASilentIngressIsClosedWhenItsPaidTimeIsOver) {
  const Talking talking = startCall(kQuantumMicros / 30);
  ASSERT_TRUE(world_->extend(talking.call, talking.party, carrier_, talking.reserved.rate(), 1, 0, 2).has_value());
  world_->setSilent(true);
  ASSERT_TRUE(world_->waitCdr(talking.call, seconds(20)));
  EXPECT_EQ(world_->cdr(talking.call, "reason"), "instance_lost");
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

// REQUIREMENTS 9.4: a rebuild of Redis waits for the calls of every instance that may have some, and readiness says for whom.
TEST_F(BillingPromise, ARebuildWaitsForAnIngressThatDoesNotAnswer) {
  const Talking talking = startCall(kQuantumMicros);
  world_->setLive(talking.call, talking.record, talking.reserved.held_micros());
  world_->setSilent(true);
  ASSERT_TRUE(world_->redisClient().wait({"FLUSHALL"}).has_value());
  const auto until = std::chrono::steady_clock::now() + seconds(6);
  EXPECT_TRUE(waitUntil(
      [&] {
        world_->announce(false);  // alive, but its answer does not arrive
        EXPECT_FALSE(world_->reserve(world_->newCall(), talking.party, {carrier_}).has_value());
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(20)));
  EXPECT_FALSE(world_->billing().isReady());
  world_->setSilent(false);
  ASSERT_TRUE(waitUntil([&] { return world_->balance(talking.party).has_value(); }));
  EXPECT_EQ(world_->balance(talking.party)->held_micros(), kQuantumMicros);
  EXPECT_TRUE(isRefused(talking.party));
  EXPECT_TRUE(waitUntil([&] { return world_->billing().isReady(); }));
  world_->clearLive();
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 9));
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

// The instances are known after a restart of billing too, or a rebuild would miss their calls.
TEST_F(BillingPromise, InstancesAreRememberedByTheDatabase) {
  const Talking talking = startCall(kQuantumMicros);
  EXPECT_TRUE(waitUntil([&] { return world_->number("SELECT COUNT(*) FROM ingress_instances WHERE instance = 'ingress-1'") == 1; }));
  world_->announce(true);
  EXPECT_TRUE(waitUntil([&] { return world_->number("SELECT COUNT(*) FROM ingress_instances") == 0; }));
  world_->announce(false);
  EXPECT_TRUE(waitUntil([&] { return world_->number("SELECT COUNT(*) FROM ingress_instances") == 1; }));
  world_->publishEnded(talking.call, BillingWorld::record(talking.party, carrier_, talking.reserved, 9));
  EXPECT_TRUE(world_->waitIdle(talking.party));
}

}  // namespace
}  // namespace tollgate::component
