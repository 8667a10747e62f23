// tollgate-billing when time is short: a slow Redis, answers that come too late, a process that was stopped, and hosts whose clocks differ.
// Slots and holds must be free again long before a lease would end (3 s in this world). After each test the books agree (REQUIREMENTS 9.6).
#include <csignal>
#include <future>

#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::milliseconds;
using testkit::waitUntil;
using Occupy = billing::v1::Billing::Occupy;
using Reserve = billing::v1::Billing::Reserve;

constexpr std::int64_t kUnit = 1'000'000;
constexpr milliseconds kWithoutLease{1500};
constexpr const char* kLateRequests = "tollgate_billing_bus_late_requests_total{connection=\"requests\"}";

class BillingTime : public BillingSuite {
 protected:
  static Party funded() {
    const Party party = world_->makeParty();
    EXPECT_TRUE(world_->pay(party, kUnit, "first").has_value());
    return party;
  }
  // Redis executes no script for this long. Two commands of billing may time out (500 ms) meanwhile; after three it would reconnect.
  static std::chrono::steady_clock::time_point slowDownRedis(milliseconds time) {
    EXPECT_TRUE(world_->redisClient().wait({"CLIENT", "PAUSE", std::to_string(time.count()), "WRITE"}).has_value());
    return std::chrono::steady_clock::now() + time;
  }
  static void waitFor(std::chrono::steady_clock::time_point time) {
    EXPECT_TRUE(waitUntil([&] { return std::chrono::steady_clock::now() > time; }));
  }
  static billing::v1::OccupyRequest occupyRequest(const Party& party, const Party& carrier) {
    billing::v1::OccupyRequest request;
    request.set_customer_id(party.customer);
    request.set_called("37410123456");
    *request.mutable_start() = BillingWorld::reserveRequest(party, {}).start();
    request.add_candidates()->set_trunk_id(carrier.trunk);
    return request;
  }
  static bool nothingIsKept(const Party& party) {
    const auto balance = world_->balance(party);
    return balance && balance->held_micros() == 0 && balance->live_holds() == 0 && world_->load(party).incoming() == 0;
  }
};

// REQUIREMENTS 9.5: Redis comes to the steps when nobody waits for them any more.
TEST_F(BillingTime, OneSlowRedisSecondDoesNotFillACarriersCap) {
  const Party party = funded();
  const Party small = world_->makeCarrier("2");
  const auto slow_until = slowDownRedis(milliseconds(900));
  std::vector<std::future<bool>> decided;
  for (int i = 0; i < 2; ++i) {
    decided.push_back(std::async(std::launch::async, [call = world_->newCall(), request = occupyRequest(party, small)] {
      return world_->ask<Occupy>(call, request, milliseconds(300)).has_value();
    }));
  }
  for (auto& each : decided) {
    EXPECT_FALSE(each.get());
  }
  waitFor(slow_until);
  EXPECT_TRUE(waitUntil([&] { return world_->load(small).outgoing() == 0; }, kWithoutLease));
  const std::string next = world_->newCall();
  const auto reserved = world_->reserve(next, party, {small});
  ASSERT_TRUE(reserved.has_value() && reserved->has_reserved());
  world_->publishEnded(next, BillingWorld::record(party, small, reserved->reserved(), 1));
  EXPECT_TRUE(world_->waitIdle(party));
}

// The pause ends soon after the time-out, before billing gives its connection up.
TEST_F(BillingTime, AReserveThatRedisExecutesAfterItsTimeOutKeepsNothing) {
  const Party party = funded();
  const auto slow_until = slowDownRedis(milliseconds(650));
  EXPECT_FALSE(world_->ask<Reserve>(world_->newCall(), BillingWorld::reserveRequest(party, {carrier_}), milliseconds(300)).has_value());
  waitFor(slow_until + milliseconds(100));
  EXPECT_TRUE(waitUntil([&] { return nothingIsKept(party); }, kWithoutLease));
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
}

// Without candidates there is no hunt: what counts is the moment when the reply would be sent.
TEST_F(BillingTime, AnAnswerThatIsTooLateGivesBackWhatItTook) {
  const Party party = funded();
  const Party small = world_->makeCarrier("1");
  for (const auto& candidates : {std::vector<Party>{}, std::vector<Party>{small}}) {
    const auto slow_until = slowDownRedis(milliseconds(350));
    EXPECT_FALSE(world_->ask<Reserve>(world_->newCall(), BillingWorld::reserveRequest(party, candidates), milliseconds(150)).has_value());
    waitFor(slow_until);
    EXPECT_TRUE(waitUntil([&] { return nothingIsKept(party) && world_->load(small).outgoing() == 0; }, kWithoutLease));
  }
  const auto slow_until = slowDownRedis(milliseconds(350));
  EXPECT_FALSE(world_->ask<Occupy>(world_->newCall(), occupyRequest(party, small), milliseconds(150)).has_value());
  waitFor(slow_until);
  EXPECT_TRUE(waitUntil([&] { return world_->load(small).outgoing() == 0; }, kWithoutLease));
  EXPECT_GE(world_->billing().metric(kLateRequests).value_or(0), 3);
  EXPECT_NE(world_->billing().log().find("requests too late to be answered"), std::string::npos);
}

// Billing answered in time, but the ingress did not get it: it knows only which trunks it had asked for.
TEST_F(BillingTime, TheRecordOfAnUndecidedCallFreesTheSlotItDoesNotKnowOf) {
  const Party party = funded();
  const Party small = world_->makeCarrier("1");
  const std::string call = world_->newCall();
  ASSERT_TRUE(world_->reserve(call, party, {small, carrier_})->has_reserved());
  ASSERT_EQ(world_->load(small).outgoing(), 1U);
  auto record = BillingWorld::record(party, Party{}, {}, std::nullopt);
  record.clear_attempts();
  record.set_reason(common::v1::REASON_DECISION_UNAVAILABLE);
  record.add_asked_trunk_ids(small.trunk);
  record.add_asked_trunk_ids(carrier_.trunk);
  world_->publishRejected(call, record);
  EXPECT_TRUE(waitUntil([&] { return world_->load(small).outgoing() == 0 && nothingIsKept(party); }, kWithoutLease));
  // The answer to an occupy that comes after the record is given back too: the call has ended.
  EXPECT_FALSE(world_->ask<Occupy>(call, occupyRequest(party, small)).has_value());
  EXPECT_EQ(world_->load(small).outgoing(), 0U);
}

// The requests wait in the socket while billing is stopped, and look new to it afterwards.
TEST_F(BillingTime, AStoppedBillingDoesNotAdmitTheCallsOfThatTime) {
  const Party party = funded();
  const auto late = [] { return world_->billing().metric(kLateRequests).value_or(0); };
  const double before = late();
  world_->billing().signal(SIGSTOP);
  const auto stopped_until = std::chrono::steady_clock::now() + milliseconds(1500);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(world_->ask<Reserve>(world_->newCall(), BillingWorld::reserveRequest(party, {carrier_}), milliseconds(300)).has_value());
  }
  waitFor(stopped_until);
  world_->billing().signal(SIGCONT);
  EXPECT_TRUE(waitUntil([&] { return late() >= before + 3; }));
  EXPECT_TRUE(nothingIsKept(party));
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
}

// REQUIREMENTS 12.6: billing's wall clock is ten minutes fast or slow, that of the asker is right.
class SkewedBilling : public testing::TestWithParam<int> {};

TEST_P(SkewedBilling, ACallIsAdmittedExtendedAndChargedAsWithEqualClocks) {
  BillingWorld world({{"LD_PRELOAD", TOLLGATE_SKEWED_CLOCK},
                      {"TEST_CLOCK_SKEW_SECONDS", std::to_string(GetParam())},
                      {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
  const Party carrier = world.makeCarrier();
  const Party party = world.makeParty();
  ASSERT_TRUE(world.pay(party, kUnit, "first").has_value());
  const std::string call = world.newCall();
  const auto reply = world.ask<Reserve>(call, BillingWorld::reserveRequest(party, {carrier}), milliseconds(500));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  ASSERT_TRUE(reply->has_reserved()) << reply->ShortDebugString();
  EXPECT_EQ(reply->reserved().paid_seconds(), 60U);
  const auto more = world.extend(call, party, carrier, reply->reserved().rate(), 5, 90);
  ASSERT_TRUE(more.has_value()) << more.error().message;
  EXPECT_EQ(more->paid_seconds(), 90U);
  world.publishEnded(call, BillingWorld::record(party, carrier, reply->reserved(), 20));
  ASSERT_TRUE(world.waitCdr(call));
  EXPECT_TRUE(world.waitIdle(party));
  EXPECT_EQ(world.cdr(call, "reason, talked_seconds, charge_micros"), "normal\t20\t20000");
  EXPECT_EQ(world.balance(party)->posted().micros(), kUnit - 20'000);
  EXPECT_EQ(world.disagreement(), "");
  EXPECT_EQ(world.billing().metric(kLateRequests).value_or(-1), 0);
  // What is late stays late.
  EXPECT_TRUE(world.redisClient().wait({"CLIENT", "PAUSE", "350", "WRITE"}).has_value());
  EXPECT_FALSE(world.ask<Reserve>(world.newCall(), BillingWorld::reserveRequest(party, {carrier}), milliseconds(150)).has_value());
  EXPECT_TRUE(waitUntil([&] { return world.billing().metric(kLateRequests).value_or(0) == 1; }));
  EXPECT_TRUE(world.waitIdle(party, kWithoutLease));
  // The clock of billing was really off.
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(world.billing().metric("tollgate_billing_feed_last_success_timestamp_seconds").value_or(0) - now, GetParam(), 60);
  EXPECT_EQ(world.billing().stop(), 0);
  world.stop();
}

INSTANTIATE_TEST_SUITE_P(TenMinutes, SkewedBilling, testing::Values(-600, 600));

}  // namespace
}  // namespace tollgate::component
