// The metrics of the drift between holds, slots and live calls (REQUIREMENTS 9.5): each difference is planted in Redis or in the report of
// the ingress, and must be seen; traffic that moves must not look like one.
#include <deque>

#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr const char* kDrift = "tollgate_billing_hold_drift_micros";
constexpr const char* kHoldsWithoutCall = "tollgate_billing_holds_without_call";
constexpr const char* kCallsWithoutHold = "tollgate_billing_calls_without_hold";
constexpr const char* kSlotsWithoutCall = "tollgate_billing_slots_without_call";
constexpr const char* kFar = "99999999999999";  // a time in ms

class BillingAudit : public BillingSuite {
 protected:
  void SetUp() override {
    world_->announce(false);
    party_ = world_->makeParty();
    prefix_ = "{c" + std::to_string(party_.customer) + "}:";
  }
  void TearDown() override {
    world_->setSilent(false);
    world_->clearLive();
    for (const char* name : {kDrift, kHoldsWithoutCall, kCallsWithoutHold, kSlotsWithoutCall}) {
      EXPECT_TRUE(becomes(name, 0)) << name;
    }
    BillingSuite::TearDown();
  }

  static double metric(const char* name) { return world_->billing().metric(name).value_or(-1); }
  static bool becomes(const char* name, double value) {
    return waitUntil([&] { return metric(name) == value; }, seconds(20));
  }
  static void redis(std::vector<std::string> words) { ASSERT_TRUE(world_->redisClient().wait(std::move(words)).has_value()); }
  void plantHold(const std::string& call, const std::string& amount) {
    redis({"HSET", prefix_ + "hold:" + call, "amount", amount, "confirmed", "0", "instance", "ingress-1"});
    redis({"ZADD", prefix_ + "holds", kFar, call});
  }
  void removeHold(const std::string& call) {
    redis({"ZREM", prefix_ + "holds", call});
    redis({"DEL", prefix_ + "hold:" + call});
  }

  Party party_;
  std::string prefix_;
};

TEST_F(BillingAudit, AHeldSumThatIsOffIsSeenAndNotRepaired) {
  redis({"HINCRBY", prefix_ + "acct", "held", "5"});
  EXPECT_TRUE(becomes(kDrift, 5));
  EXPECT_EQ(world_->redisClient().wait({"HGET", prefix_ + "acct", "held"})->text, "5");
  redis({"HINCRBY", prefix_ + "acct", "held", "-5"});
}

// More holds than a script may walk through.
TEST_F(BillingAudit, TheHoldsOfALargeCustomerAreComparedToo) {
  constexpr int kHolds = 1200;
  for (int i = 0; i < kHolds; ++i) {
    plantHold("many" + std::to_string(i), "2");
  }
  redis({"HINCRBY", prefix_ + "acct", "held", std::to_string(2 * kHolds - 7)});
  EXPECT_TRUE(becomes(kDrift, 7));
  EXPECT_TRUE(becomes(kHoldsWithoutCall, kHolds));
  for (int i = 0; i < kHolds; ++i) {
    removeHold("many" + std::to_string(i));
  }
  redis({"HSET", prefix_ + "acct", "held", "0"});
}

TEST_F(BillingAudit, AHoldWithoutACallIsSeen) {
  plantHold("ghost", "0");
  EXPECT_TRUE(becomes(kHoldsWithoutCall, 1));
  EXPECT_EQ(metric(kSlotsWithoutCall), 0);
  removeHold("ghost");
}

// The charge of a call that is over waits for the ledger: that is no difference.
TEST_F(BillingAudit, AHoldOfACallThatIsOverNeedsNoCall) {
  plantHold("over", "0");
  redis({"HSET", prefix_ + "hold:over", "over", "1"});
  plantHold("ghost", "0");
  EXPECT_TRUE(becomes(kHoldsWithoutCall, 1));
  removeHold("ghost");
  EXPECT_TRUE(becomes(kHoldsWithoutCall, 0));
  removeHold("over");
}

TEST_F(BillingAudit, ACallWithoutAHoldIsSeen) {
  billing::v1::Reserved reserved;
  reserved.mutable_rate()->set_rate_id(1);
  world_->setLive(world_->newCall(), BillingWorld::record(party_, carrier_, reserved, 0), 0);
  EXPECT_TRUE(becomes(kCallsWithoutHold, 1));
}

TEST_F(BillingAudit, ASlotWithoutACallIsSeen) {
  const std::string key = prefix_ + "in:" + std::to_string(party_.trunk);
  redis({"ZADD", key, kFar, "ghost"});
  redis({"ZADD", key, "1", "ended"});  // its lease has ended: it is not in use
  EXPECT_TRUE(becomes(kSlotsWithoutCall, 1));
  redis({"DEL", key});
}

// Silence is not "no calls".
TEST_F(BillingAudit, NothingIsSaidOfTheHoldsOfAnIngressThatDoesNotAnswer) {
  world_->setSilent(true);
  plantHold("ghost", "0");
  const auto until = std::chrono::steady_clock::now() + seconds(5);
  EXPECT_TRUE(waitUntil(
      [&] {
        world_->announce(false);
        EXPECT_EQ(metric(kHoldsWithoutCall), 0);
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(20)));
  world_->setSilent(false);
  EXPECT_TRUE(becomes(kHoldsWithoutCall, 1));
  removeHold("ghost");
}

// Calls come and go all the time, several in each round of the audit: no metric moves.
TEST_F(BillingAudit, MovingTrafficIsNoDifference) {
  ASSERT_TRUE(world_->pay(party_, 10'000'000, "first").has_value());
  std::deque<std::pair<std::string, billing::v1::Reserved>> calls;
  const auto end = [&] {
    const auto [call, reserved] = calls.front();
    calls.pop_front();
    world_->endLive(call);
    world_->publishEnded(call, BillingWorld::record(party_, carrier_, reserved, 1));
  };
  const auto until = std::chrono::steady_clock::now() + seconds(8);
  EXPECT_TRUE(waitUntil(
      [&] {
        const auto call = world_->newCall();
        const auto reply = world_->reserve(call, party_, {carrier_});
        EXPECT_TRUE(reply.has_value() && reply->has_reserved());
        world_->setLive(call, BillingWorld::record(party_, carrier_, reply->reserved(), 0), reply->reserved().held_micros());
        calls.emplace_back(call, reply->reserved());
        if (calls.size() > 10) {
          end();
        }
        for (const char* name : {kDrift, kHoldsWithoutCall, kCallsWithoutHold, kSlotsWithoutCall}) {
          EXPECT_EQ(metric(name), 0) << name;
        }
        return std::chrono::steady_clock::now() >= until;
      },
      seconds(30)));
  while (!calls.empty()) {
    end();
  }
  EXPECT_TRUE(world_->waitIdle(party_));
}

}  // namespace
}  // namespace tollgate::component
