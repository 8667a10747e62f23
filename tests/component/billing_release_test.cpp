// Release: a call is over, and its record cannot be stored. Its slots are free, its charge stays held, and the record alone books it
// (REQUIREMENTS 9.3, 9.5). After each test the books agree.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingRelease : public BillingSuite {
 protected:
  static Party funded(std::int64_t micros, const PartyOptions& options = {}) {
    const Party party = world_->makeParty(options);
    EXPECT_TRUE(world_->pay(party, micros, "first").has_value());
    return party;
  }
  struct Ended {
    std::string call;
    call::v1::CallRecord record;
  };
  // A call that was admitted, and its record after `seconds` of talk.
  static Ended play(const Party& party, const Party& carrier, std::optional<std::int64_t> seconds) {
    Ended made;
    made.call = world_->newCall();
    const auto reply = world_->reserve(made.call, party, {carrier});
    EXPECT_TRUE(reply.has_value() && reply->has_reserved()) << (reply ? reply->ShortDebugString() : reply.error().message);
    made.record = BillingWorld::record(party, carrier, reply->reserved(), seconds);
    return made;
  }
};

TEST_F(BillingRelease, SlotsAreFreeAndTheChargeIsHeldUntilTheRecordComes) {
  PartyOptions one;
  one.incoming_max = "1";
  const Party party = funded(kUnit, one);
  const Party carrier = world_->makeCarrier("1");
  const Ended first = play(party, carrier, 12);
  EXPECT_EQ(world_->reserve(world_->newCall(), party, {carrier})->refusal().reason(), common::v1::REASON_CONCURRENT_LIMIT);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(world_->release(first.call, first.record));
    EXPECT_EQ(world_->load(party).incoming(), 0U);
    EXPECT_EQ(world_->load(carrier).outgoing(), 0U);
    EXPECT_EQ(world_->balance(party)->held_micros(), 12'000);
    EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit);
  }
  EXPECT_EQ(world_->cdrCount(first.call), 0);
  // Over is over.
  EXPECT_FALSE(world_->reserve(first.call, party, {carrier}).has_value());
  EXPECT_FALSE(world_->extend(first.call, party, carrier, first.record.rate(), 12, 60).has_value());

  const Ended second = play(party, carrier, 7);
  world_->publishEnded(first.call, first.record);
  ASSERT_TRUE(world_->waitCdr(first.call));
  EXPECT_EQ(world_->cdr(first.call, "talked_seconds, charge_micros, reason"), "12\t12000\tnormal");
  // The second call is not disturbed by the record of the first.
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->held_micros() == 60'000; }));
  EXPECT_EQ(world_->load(party).incoming(), 1U);
  EXPECT_EQ(world_->load(carrier).outgoing(), 1U);
  world_->publishEnded(second.call, second.record);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 19'000);
}

TEST_F(BillingRelease, NothingChangesWhenTheRecordIsSettled) {
  const Party party = funded(kUnit);
  const Ended ended = play(party, carrier_, 12);
  world_->publishEnded(ended.call, ended.record);
  ASSERT_TRUE(world_->waitIdle(party));
  EXPECT_TRUE(world_->release(ended.call, ended.record));
  EXPECT_EQ(world_->balance(party)->held_micros(), 0);
  EXPECT_EQ(world_->balance(party)->live_holds(), 0U);
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 12'000);
  EXPECT_EQ(world_->cdrCount(ended.call), 1);
}

// Between the arrival of the record and its commit.
TEST_F(BillingRelease, TheChargeStaysHeldWhileTheRecordWaitsForMySql) {
  const Party party = funded(kUnit);
  const Ended ended = play(party, carrier_, 12);
  world_->maria().kill();
  world_->publishEnded(ended.call, ended.record);
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->held_micros() == 12'000; }));
  EXPECT_TRUE(world_->release(ended.call, ended.record));
  EXPECT_EQ(world_->balance(party)->held_micros(), 12'000);
  world_->maria().start();
  EXPECT_TRUE(world_->waitIdle(party, std::chrono::seconds(30)));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 12'000);
}

TEST_F(BillingRelease, AnUnansweredCallHoldsNothingMore) {
  const Party party = funded(kUnit);
  const Ended ended = play(party, carrier_, std::nullopt);
  ASSERT_TRUE(world_->release(ended.call, ended.record));
  EXPECT_EQ(world_->balance(party)->held_micros(), 0);
  EXPECT_EQ(world_->load(party).incoming(), 0U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
  EXPECT_EQ(world_->balance(party)->live_holds(), 1U);  // until the record: if that never comes, the call is closed all the same
  world_->publishEnded(ended.call, ended.record);
  ASSERT_TRUE(world_->waitCdr(ended.call));
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->cdr(ended.call, "charge_micros, reason"), "0\tcarrier_rejected");
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit);
}

TEST_F(BillingRelease, AnUnknownCallLeavesNothingBehind) {
  const Party party = funded(kUnit);
  Ended known = play(party, carrier_, 12);
  EXPECT_TRUE(world_->release(world_->newCall(), known.record));
  EXPECT_EQ(world_->balance(party)->held_micros(), 60'000);
  EXPECT_EQ(world_->balance(party)->live_holds(), 1U);
  EXPECT_EQ(world_->load(party).incoming(), 1U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 1U);
  world_->publishEnded(known.call, known.record);
  EXPECT_TRUE(world_->waitIdle(party));
  // Billing does not confirm what it cannot assign to an account.
  known.record.set_customer_id(0);
  EXPECT_FALSE(world_->release(known.call, known.record));
}

// REQUIREMENTS 9.6: what a released call costs cannot be spent by others, so the books end exactly at the floor.
TEST_F(BillingRelease, TheChargeOfAReleasedCallIsNotSoldAgain) {
  const Party party = funded(100'000);
  std::vector<Ended> calls{play(party, carrier_, 30)};
  ASSERT_TRUE(world_->release(calls[0].call, calls[0].record));
  EXPECT_EQ(world_->balance(party)->available_micros(), 70'000);
  calls.push_back(play(party, carrier_, 60));
  calls.push_back(play(party, carrier_, 10));
  EXPECT_EQ(calls.back().record.paid_seconds(), 10U);
  EXPECT_EQ(world_->reserve(world_->newCall(), party, {carrier_})->refusal().reason(), common::v1::REASON_NO_CREDIT);
  for (const Ended& ended : calls) {
    EXPECT_TRUE(world_->release(ended.call, ended.record));
    EXPECT_EQ(world_->balance(party)->available_micros(), 0);
  }
  for (const Ended& ended : calls) {
    world_->publishEnded(ended.call, ended.record);
  }
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), 0);
}

// A release that talks of more than was paid for is charged as its record will be.
TEST_F(BillingRelease, NoMoreIsHeldThanWasPaidFor) {
  const Party party = funded(kUnit);
  const Ended ended = play(party, carrier_, 90);
  ASSERT_TRUE(world_->release(ended.call, ended.record));
  EXPECT_EQ(world_->balance(party)->held_micros(), 60'000);
  world_->publishEnded(ended.call, ended.record);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 60'000);
}

// While Redis has lost the account nothing is confirmed: the ingress asks again, and the charge is held when the account is back.
TEST_F(BillingRelease, IsNotConfirmedWhileTheAccountIsMissing) {
  const Party party = funded(kUnit);
  const Ended ended = play(party, carrier_, 12);
  world_->setLive(ended.call, ended.record, 60'000);
  world_->redis().kill();
  EXPECT_FALSE(world_->release(ended.call, ended.record));
  world_->redis().start();
  ASSERT_TRUE(waitUntil([&] { return world_->release(ended.call, ended.record); }, std::chrono::seconds(20)));
  world_->clearLive();
  EXPECT_EQ(world_->balance(party)->held_micros(), 12'000);
  EXPECT_EQ(world_->load(party).incoming(), 0U);
  world_->publishEnded(ended.call, ended.record);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 12'000);
}

// REQUIREMENTS 9.6: releases and records of forty calls in any order, each repeated.
TEST_F(BillingRelease, AnyOrderOfReleasesAndRecordsBooksEachCallOnce) {
  constexpr unsigned kSeed = 20261121;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const Party party = funded(10 * kUnit);
  std::vector<Ended> calls;
  std::int64_t charged = 0;
  for (int i = 0; i < 40; ++i) {
    const bool answered = i % 4 != 0;
    calls.push_back(play(party, carrier_, answered ? std::optional<std::int64_t>(i) : std::nullopt));
    charged += answered ? i * 1'000 : 0;
  }
  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < calls.size() * 4; ++i) {
    steps.push_back(i);
  }
  std::shuffle(steps.begin(), steps.end(), random);
  for (const std::size_t step : steps) {
    const Ended& ended = calls[step / 4];
    if (step % 4 < 2) {
      EXPECT_TRUE(world_->release(ended.call, ended.record));
    } else {
      world_->publishEnded(ended.call, ended.record, ended.call + "." + std::to_string(step));
    }
    EXPECT_LE(world_->balance(party)->available_micros(), 10 * kUnit - charged);
  }
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->posted().micros() == 10 * kUnit - charged; }));
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM cdrs WHERE customer_id = " + std::to_string(party.customer)), 40);
}

}  // namespace
}  // namespace tollgate::component
