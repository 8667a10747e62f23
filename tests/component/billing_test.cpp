// tollgate-billing against real NATS, Redis and MariaDB servers: money and slots, step by step. After each test the books agree.
#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "libs/base/reason.hpp"
#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class Billing : public BillingSuite {
 protected:
  static Party funded(std::int64_t micros, const PartyOptions& options = {}) {
    const Party party = world_->makeParty(options);
    EXPECT_TRUE(world_->pay(party, micros, "first").has_value());
    return party;
  }
  static common::v1::Reason refusedFor(const base::Result<billing::v1::ReserveReply>& reply) {
    EXPECT_TRUE(reply.has_value()) << (reply ? "" : reply.error().message);
    return reply ? reply->refusal().reason() : common::v1::REASON_UNSPECIFIED;
  }
  // The call talks and ends. When this returns, ledger and CDR are written.
  static void finish(const std::string& call, const Party& party, const billing::v1::Reserved& reserved,
                     std::optional<std::int64_t> seconds) {
    world_->publishEnded(call, BillingWorld::record(party, carrier_, reserved, seconds));
    ASSERT_TRUE(world_->waitCdr(call));
  }
};

// REQUIREMENTS 8.3, 8.5, 9.1, 9.3, 10.1, 10.3: one call from its admission to its record.
TEST_F(Billing, ACallIsAdmittedChargedAndWrittenDown) {
  const Party party = funded(10 * kUnit);
  const std::string call = world_->newCall();
  const auto reply = world_->reserve(call, party, {carrier_});
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  ASSERT_TRUE(reply->has_reserved()) << reply->ShortDebugString();
  const billing::v1::Reserved& reserved = reply->reserved();
  EXPECT_EQ(reserved.paid_seconds(), 60U);
  EXPECT_EQ(reserved.held_micros(), 60'000);
  EXPECT_EQ(reserved.rate().prefix(), "374");
  EXPECT_EQ(reserved.occupied().index(), 0U);
  EXPECT_EQ(reserved.occupied().vendor_rate().per_minute_micros(), 30'000);
  EXPECT_EQ(reserved.heartbeat_seconds(), 1U);
  ASSERT_GE(reply->trace_size(), 5);
  EXPECT_EQ(reply->trace(0).check(), "rate");
  EXPECT_EQ(world_->balance(party)->available_micros(), 10 * kUnit - 60'000);
  EXPECT_EQ(world_->load(party).incoming(), 1U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 1U);

  // REQUIREMENTS 9.3: a replay is the same grant.
  const auto replay = world_->reserve(call, party, {carrier_});
  EXPECT_EQ(replay->reserved().held_micros(), 60'000);
  EXPECT_EQ(world_->load(party).incoming(), 1U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 1U);

  finish(call, party, reserved, 12);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), 10 * kUnit - 12'000);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
  EXPECT_EQ(world_->cdr(call, "talked_seconds, billed_seconds, charge_micros, cost_micros, margin_micros, reason"),
            "12\t12\t12000\t6000\t6000\tnormal");
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM cdr_attempts WHERE call_id = '" + call + "'"), 1);
  EXPECT_EQ(world_->trace(call).back().found, "enough");
  // A call that has ended cannot be reserved again.
  EXPECT_FALSE(world_->reserve(call, party, {carrier_}).has_value());
}

// REQUIREMENTS 1.2, 2.1, 8.3, 9.1: why a call is refused, and that nothing is kept of it.
TEST_F(Billing, ACallIsRefusedForItsReason) {
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), world_->makeParty(), {carrier_})), common::v1::REASON_NO_CREDIT);

  const Party party = funded(kUnit);
  const auto no_rate =
      world_->ask<billing::v1::Billing::Reserve>(world_->newCall(), BillingWorld::reserveRequest(party, {carrier_}, "447700900123"));
  EXPECT_EQ(refusedFor(no_rate), common::v1::REASON_NO_RATE);

  PartyOptions off;
  off.incoming_max = "0";
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), funded(kUnit, off), {carrier_})), common::v1::REASON_CONCURRENT_LIMIT);

  PartyOptions slow;
  slow.incoming_cps = "0";
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), funded(kUnit, slow), {carrier_})), common::v1::REASON_CPS_LIMIT);
  EXPECT_EQ(world_->balance(party)->held_micros(), 0);
}

// REQUIREMENTS 2.1: the eleventh call on a default trunk; a call that ends frees its slot.
TEST_F(Billing, TheIncomingCapHoldsUntilACallEnds) {
  PartyOptions two;
  two.incoming_max = "2";
  const Party party = funded(kUnit, two);
  const std::string first = world_->newCall();
  const auto reserved = world_->reserve(first, party, {carrier_});
  const std::string second = world_->newCall();
  EXPECT_TRUE(world_->reserve(second, party, {carrier_})->has_reserved());
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), party, {carrier_})), common::v1::REASON_CONCURRENT_LIMIT);
  finish(first, party, reserved->reserved(), std::nullopt);
  const std::string third = world_->newCall();
  EXPECT_TRUE(waitUntil([&] { return world_->reserve(third, party, {carrier_})->has_reserved(); }));
  finish(second, party, reserved->reserved(), 1);
  finish(third, party, reserved->reserved(), 1);
  EXPECT_TRUE(world_->waitIdle(party));
}

// REQUIREMENTS 5.1: a busy carrier trunk is passed over; when all are, everything is given back.
TEST_F(Billing, ABusyCarrierIsPassedOver) {
  const Party party = funded(kUnit);
  const Party small = world_->makeCarrier("1");
  const Party closed = world_->makeCarrier("0");
  const std::string first = world_->newCall();
  ASSERT_EQ(world_->reserve(first, party, {small})->reserved().occupied().index(), 0U);

  const std::string second = world_->newCall();
  const auto next = world_->reserve(second, party, {closed, small, carrier_});
  EXPECT_EQ(next->reserved().occupied().index(), 2U);
  ASSERT_EQ(next->reserved().occupied().skipped_size(), 2);
  EXPECT_EQ(next->reserved().occupied().skipped(0).reason(), common::v1::REASON_CONCURRENT_LIMIT);
  EXPECT_EQ(next->reserved().occupied().skipped(1).reason(), common::v1::REASON_CONCURRENT_LIMIT);

  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), party, {closed, small})), common::v1::REASON_NO_TARGET_AVAILABLE);
  EXPECT_TRUE(waitUntil([&] { return world_->load(party).incoming() == 2 && world_->balance(party)->live_holds() == 2; }));

  // REQUIREMENTS 5.1: hunting on gives the old slot back.
  billing::v1::OccupyRequest occupy;
  occupy.set_customer_id(party.customer);
  occupy.set_called("37410123456");
  *occupy.mutable_start() = BillingWorld::reserveRequest(party, {}).start();
  occupy.set_release_trunk_id(carrier_.trunk);
  occupy.add_candidates()->set_trunk_id(small.trunk);
  EXPECT_EQ(world_->ask<billing::v1::Billing::Occupy>(second, occupy)->refusal().reason(), common::v1::REASON_NO_TARGET_AVAILABLE);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
  world_->publishEnded(first, BillingWorld::record(party, small, next->reserved(), 5));
  ASSERT_TRUE(world_->waitCdr(first));
  EXPECT_EQ(world_->ask<billing::v1::Billing::Occupy>(second, occupy)->occupied().index(), 0U);
  world_->publishEnded(second, BillingWorld::record(party, small, next->reserved(), 5));
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->load(small).outgoing(), 0U);
}

// REQUIREMENTS 3.6: least loaded first, ties by higher weight.
TEST_F(Billing, ByLoadTheLeastLoadedCarrierIsTakenFirst) {
  const Party party = funded(kUnit);
  const Party left = world_->makeCarrier();
  const Party right = world_->makeCarrier();
  auto request = BillingWorld::reserveRequest(party, {left, right});
  request.set_by_load(2);
  request.mutable_candidates(1)->set_weight(5);
  std::vector<std::uint32_t> taken;
  std::vector<std::string> calls;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(world_->newCall());
    taken.push_back(world_->ask<billing::v1::Billing::Reserve>(calls.back(), request)->reserved().occupied().index());
  }
  EXPECT_EQ(taken, (std::vector<std::uint32_t>{1, 0, 1, 0}));
  for (std::size_t i = 0; i < calls.size(); ++i) {
    world_->publishRejected(calls[i], BillingWorld::record(party, taken[i] == 0 ? left : right, {}, std::nullopt));
  }
  EXPECT_TRUE(world_->waitIdle(party));
}

// REQUIREMENTS 9.2: extended until the money is over, then refused; the event says so.
TEST_F(Billing, ExtensionsEndWithTheMoney) {
  const Party party = funded(100'000);  // 100 seconds
  std::atomic<int> exhausted{0};
  const auto subscription = world_->events().subscribe("tg.evt.credit.v1.exhausted." + std::to_string(party.customer), "",
                                                       [&](const bus::Delivery&) { ++exhausted; });
  ASSERT_TRUE(subscription.has_value());
  const std::string call = world_->newCall();
  const auto reserved = world_->reserve(call, party, {carrier_});
  const auto& rate = reserved->reserved().rate();
  const auto more = world_->extend(call, party, carrier_, rate, 30, 90);
  EXPECT_EQ(more->paid_seconds(), 90U);
  EXPECT_FALSE(more->refused());
  const auto heartbeat = world_->extend(call, party, carrier_, rate, 35, 0, 90);
  EXPECT_EQ(heartbeat->paid_seconds(), 90U);
  EXPECT_FALSE(heartbeat->refused());
  const auto last = world_->extend(call, party, carrier_, rate, 60, 120, 90);
  EXPECT_EQ(last->paid_seconds(), 100U);
  EXPECT_TRUE(last->refused());
  EXPECT_TRUE(waitUntil([&] { return exhausted == 1; }));
  billing::v1::Reserved paid = reserved->reserved();
  paid.set_paid_seconds(100);
  finish(call, party, paid, 100);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), 0);
}

// REQUIREMENTS 9.2: with the whole balance held, N calls together never spend more than the allowance.
TEST_F(Billing, ManyCallsAtTheSameTimeNeverSpendMoreThanTheAllowance) {
  const Party party = funded(400'000);  // 400 seconds
  constexpr int kCalls = 24;
  std::vector<std::string> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(world_->newCall());
  }
  std::vector<std::future<base::Result<billing::v1::ReserveReply>>> replies;
  for (const std::string& call : calls) {
    replies.push_back(std::async(std::launch::async, [&, call] { return world_->reserve(call, party, {carrier_}); }));
  }
  std::int64_t paid = 0;
  for (int i = 0; i < kCalls; ++i) {
    const auto reply = replies[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    if (reply->has_refusal()) {
      EXPECT_EQ(reply->refusal().reason(), common::v1::REASON_NO_CREDIT);
      continue;
    }
    paid += reply->reserved().paid_seconds();
    world_->publishEnded(calls[static_cast<std::size_t>(i)],
                         BillingWorld::record(party, carrier_, reply->reserved(), reply->reserved().paid_seconds()));
  }
  EXPECT_EQ(paid, 400);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->posted().micros() == 0; }));
}

// REQUIREMENTS 9.3, 9.6: however often a record comes, the call is one CDR and one charge.
TEST_F(Billing, ARecordThatComesAgainChangesNothing) {
  const Party party = funded(kUnit);
  const std::string call = world_->newCall();
  const auto reserved = world_->reserve(call, party, {carrier_});
  const auto record = BillingWorld::record(party, carrier_, reserved->reserved(), 30);
  for (int i = 0; i < 5; ++i) {
    world_->publishEnded(call, record, call + ".again" + std::to_string(i));
  }
  ASSERT_TRUE(world_->waitCdr(call));
  EXPECT_TRUE(waitUntil([&] { return world_->billing().metric("tollgate_billing_cdrs_total{outcome=\"repeated\"}").value_or(0) >= 4; }));
  EXPECT_EQ(world_->cdrCount(call), 1);
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM ledger_entries WHERE call_id = '" + call + "'"), 2);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 30'000);
}

// REQUIREMENTS 1.8: the ledger only, once per key.
TEST_F(Billing, AMovementIsPostedOncePerKey) {
  const Party party = world_->makeParty();
  const auto first = world_->pay(party, 5 * kUnit, "k1");
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_FALSE(first->existed());
  EXPECT_EQ(first->balance().micros(), 5 * kUnit);
  const auto again = world_->pay(party, 5 * kUnit, "k1");
  EXPECT_TRUE(again->existed());
  EXPECT_EQ(again->transfer_id(), first->transfer_id());
  EXPECT_EQ(world_->balance(party)->posted().micros(), 5 * kUnit);
  const auto other = world_->pay(party, 6 * kUnit, "k1");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, base::ErrorCode::kConflict);

  EXPECT_EQ(world_->pay(party, 2 * kUnit, "k2", billing::v1::MOVEMENT_KIND_REFUND)->balance().micros(), 3 * kUnit);
  EXPECT_EQ(world_->pay(party, -4 * kUnit, "k3", billing::v1::MOVEMENT_KIND_ADJUSTMENT)->balance().micros(), -kUnit);
  EXPECT_EQ(world_->pay(party, -kUnit, "k4").error().code, base::ErrorCode::kInvalid);
  EXPECT_EQ(world_->pay({party.customer + 5000, 0}, kUnit, "k5").error().code, base::ErrorCode::kNotFound);
  EXPECT_EQ(world_->pay(party, 1'000'000'000'000 * kUnit, "k6")->balance().micros(), 999'999'999'999 * kUnit);
  EXPECT_EQ(world_->pay(party, 2 * kUnit, "k7").error().code, base::ErrorCode::kInvalid);
}

// REQUIREMENTS 9.4: the system's account of a currency is the sum of all its customers' accounts, which is more than 64 bits hold.
TEST_F(Billing, ManyLargeBalancesAreBookedExactly) {
  for (int i = 0; i < 12; ++i) {
    const Party party = world_->makeParty();
    const auto paid = world_->pay(party, 1'000'000'000'000 * kUnit, "large");
    ASSERT_TRUE(paid.has_value()) << paid.error().message;
    EXPECT_EQ(paid->balance().micros(), 1'000'000'000'000 * kUnit);
    EXPECT_EQ(world_->balance(party)->posted().micros(), 1'000'000'000'000 * kUnit);
  }
}

// REQUIREMENTS 9.1, 9.2: 10^12 rupiah are 10^18 micro-units, beyond what the scripts count exactly; nothing is oversold or lost by that.
TEST_F(Billing, LargeBalancesCallAndPayAndAreNeverOversold) {
  constexpr std::int64_t kMost = 1'000'000'000'000 * kUnit;
  constexpr std::int64_t kMinute = 1'000'000 * kUnit;
  PartyOptions rupiah{.billing_type = "postpaid", .credit_line = kMost, .rate_plan = "3", .currency = "IDR"};
  const Party party = world_->makeParty(rupiah);
  ASSERT_TRUE(world_->pay(party, kMost - 7, "all").has_value());
  const std::string call = world_->newCall();
  const auto reserved = world_->reserve(call, party, {carrier_});
  ASSERT_TRUE(reserved.has_value() && reserved->has_reserved());
  EXPECT_GE(reserved->reserved().paid_seconds(), 60U);
  finish(call, party, reserved->reserved(), 31);
  EXPECT_TRUE(world_->waitIdle(party));
  const std::int64_t charged = 516'666'666'667;  // 31 s of 1,000,000 IDR a minute, rounded half up
  EXPECT_EQ(world_->balance(party)->posted().micros(), kMost - 7 - charged);
  EXPECT_EQ(world_->cdr(call, "charge_micros, currency"), std::to_string(charged) + "\tIDR");

  // Two minutes are left above the floor of -10^18.
  ASSERT_TRUE(world_->pay(party, -(kMost - 7 - charged), "back", billing::v1::MOVEMENT_KIND_ADJUSTMENT).has_value());
  ASSERT_TRUE(world_->pay(party, -(kMost - 2 * kMinute), "nearly-all", billing::v1::MOVEMENT_KIND_ADJUSTMENT).has_value());
  std::uint32_t paid_seconds = 0;
  std::vector<std::pair<std::string, billing::v1::Reserved>> calls;
  for (int i = 0; i < 4; ++i) {
    const std::string next = world_->newCall();
    if (const auto reply = world_->reserve(next, party, {carrier_}); reply.has_value() && reply->has_reserved()) {
      paid_seconds += reply->reserved().paid_seconds();
      calls.emplace_back(next, reply->reserved());
    }
  }
  EXPECT_LE(paid_seconds, 120U);
  EXPECT_GE(paid_seconds, 118U) << "at most a second of each call is lost to rounding";
  for (const auto& [next, granted] : calls) {
    finish(next, party, granted, granted.paid_seconds());
  }
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_GE(world_->balance(party)->posted().micros(), -kMost);
}

TEST_F(Billing, TheSameKeyAtTheSameTimeIsOneMovement) {
  const Party party = world_->makeParty();
  std::vector<std::future<base::Result<billing::v1::PostPaymentReply>>> replies;
  for (int i = 0; i < 8; ++i) {
    replies.push_back(std::async(std::launch::async, [&] { return world_->pay(party, kUnit, "same"); }));
  }
  int fresh = 0;
  for (auto& reply : replies) {
    const auto posted = reply.get();
    ASSERT_TRUE(posted.has_value()) << posted.error().message;
    fresh += posted->existed() ? 0 : 1;
  }
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit);
}

// REQUIREMENTS 10.1: refused calls have a CDR, and unknown sources are counted summaries. A broken record becomes a dead letter and delays
// no other record.
TEST_F(Billing, EveryKindOfRecordIsStored) {
  const Party party = world_->makeParty();
  call::v1::CallRecord refused = BillingWorld::record(party, Party(), {}, std::nullopt);
  refused.set_reason(common::v1::REASON_NO_CREDIT);
  refused.set_called_in(std::string(300, '9'));  // longer than its column
  const std::string call = world_->newCall();
  world_->publish("ended", "broken", "\xFF\xFF\xFF");
  world_->publishRejected(call, refused);
  call::v1::UnknownSources unknown_sources;
  unknown_sources.mutable_header()->set_call_id(world_->newCall());
  unknown_sources.add_sources()->set_address("203.0.113.7");
  unknown_sources.mutable_sources(0)->set_messages(41);
  world_->publish("unknown_sources", "unknown sources", unknown_sources.SerializeAsString());
  ASSERT_TRUE(world_->waitCdr(call));
  EXPECT_EQ(world_->cdr(call, "reason, charge_micros, answered_at IS NULL"), "no_credit\t0\t1");
  EXPECT_TRUE(waitUntil([&] { return world_->number("SELECT COALESCE(SUM(messages), 0) FROM unknown_sources") == 41; }));
  EXPECT_TRUE(waitUntil([&] { return world_->number("SELECT COUNT(*) FROM dead_letters WHERE data_hex = 'ffffff'") == 1; }));
}

// REQUIREMENTS 10.6: the answer a call would get, without taking anything.
TEST_F(Billing, ADryRunTakesNothing) {
  const Party party = funded(kUnit);
  auto request = BillingWorld::reserveRequest(party, {carrier_});
  request.set_dry_run(true);
  const auto reply = world_->ask<billing::v1::Billing::Reserve>(world_->newCall(), request);
  EXPECT_EQ(reply->reserved().paid_seconds(), 60U);
  EXPECT_EQ(reply->reserved().occupied().index(), 0U);
  EXPECT_GE(reply->trace_size(), 5);
  EXPECT_EQ(world_->balance(party)->held_micros(), 0);
  EXPECT_EQ(world_->load(party).incoming(), 0U);
  EXPECT_EQ(world_->load(carrier_).outgoing(), 0U);
}

// REQUIREMENTS 10.6: a dry run sees what a call would see, the carriers' caps of calls per second too, and uses none of them up.
TEST_F(Billing, ADryRunDecidesAsACallWould) {
  const Party party = funded(kUnit);
  const Party full = world_->makeCarrier("1");
  const Party slow = world_->makeCarrier();
  const Party free = world_->makeCarrier();
  world_->save("trunk", slow.trunk, "UPDATE trunks SET max_cps_outgoing = 0 WHERE id = " + std::to_string(slow.trunk));
  world_->save("trunk", free.trunk, "UPDATE trunks SET max_cps_outgoing = 1 WHERE id = " + std::to_string(free.trunk));
  const std::string busy = world_->newCall();
  const auto filling = world_->reserve(busy, party, {full});
  ASSERT_TRUE(filling->has_reserved());
  auto request = BillingWorld::reserveRequest(party, {full, slow, free});
  request.set_dry_run(true);
  const auto dry = world_->ask<billing::v1::Billing::Reserve>(world_->newCall(), request);
  const auto again = world_->ask<billing::v1::Billing::Reserve>(world_->newCall(), request);
  const std::string call = world_->newCall();
  const auto placed = world_->reserve(call, party, {full, slow, free});
  const auto skipped = [](const billing::v1::ReserveReply& reply) {
    std::string text;
    for (const auto& one : reply.reserved().occupied().skipped()) {
      text += common::v1::Reason_Name(one.reason()) + " " + one.detail() + "\n";
    }
    return text;
  };
  EXPECT_EQ(dry->reserved().occupied().index(), 2U) << dry->DebugString();
  EXPECT_EQ(again->reserved().occupied().index(), 2U) << "the first dry run has used up nothing";
  EXPECT_EQ(placed->reserved().occupied().index(), 2U);
  EXPECT_EQ(skipped(*dry), skipped(*placed));
  EXPECT_NE(skipped(*dry).find("REASON_CPS_LIMIT"), std::string::npos);
  EXPECT_EQ(world_->load(free).outgoing(), 1U);
  world_->publishRejected(busy, BillingWorld::record(party, full, filling->reserved(), std::nullopt));
  world_->publishRejected(call, BillingWorld::record(party, free, placed->reserved(), std::nullopt));
  EXPECT_TRUE(world_->waitIdle(party));
}

// REQUIREMENTS 1.3: a credit line, and none at all.
TEST_F(Billing, PostpaidSpendsItsCreditLine) {
  PartyOptions postpaid;
  postpaid.billing_type = "postpaid";
  postpaid.credit_line = 90'000;
  const Party party = world_->makeParty(postpaid);
  const std::string call = world_->newCall();
  const auto reserved = world_->reserve(call, party, {carrier_});
  EXPECT_EQ(reserved->reserved().paid_seconds(), 60U);
  EXPECT_EQ(world_->extend(call, party, carrier_, reserved->reserved().rate(), 50, 120)->paid_seconds(), 90U);
  billing::v1::Reserved paid = reserved->reserved();
  paid.set_paid_seconds(90);
  finish(call, party, paid, 90);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), party, {carrier_})), common::v1::REASON_NO_CREDIT);

  postpaid.unlimited = true;
  const Party endless = world_->makeParty(postpaid);
  const std::string other = world_->newCall();
  const auto granted = world_->reserve(other, endless, {carrier_});
  EXPECT_EQ(granted->reserved().paid_seconds(), 60U);
  EXPECT_TRUE(world_->balance(endless)->unlimited());
  finish(other, endless, granted->reserved(), 60);
  EXPECT_TRUE(world_->waitIdle(endless));
}

// REQUIREMENTS 8.2, 8.3, 1.7: rates, caps and credit lines count for the next call.
TEST_F(Billing, AChangeCountsForTheNextCall) {
  PartyOptions postpaid;
  postpaid.billing_type = "postpaid";
  const Party party = world_->makeParty(postpaid);
  EXPECT_EQ(refusedFor(world_->reserve(world_->newCall(), party, {carrier_})), common::v1::REASON_NO_CREDIT);
  const std::string id = std::to_string(party.customer);
  world_->save("customer", party.customer, "UPDATE customers SET credit_line_micros = 1000000 WHERE id = " + id);
  auto request = BillingWorld::reserveRequest(party, {carrier_}, "49301234567");
  request.set_dry_run(true);
  const auto rateOf = [&] {
    const auto reply = world_->ask<billing::v1::Billing::Reserve>(world_->newCall(), request);
    return reply && reply->has_reserved() ? reply->reserved().rate().rate_id() : 0;
  };
  EXPECT_EQ(rateOf(), 0);
  const auto rate = [](const std::string& rate_id, const std::string& prefix, const std::string& from, const std::string& to) {
    return "REPLACE INTO rates (id, plan_id, prefix, valid_from, valid_to, per_minute_micros, created_at, updated_at) VALUES (" + rate_id +
           ", 1, '" + prefix + "', '" + from + "', " + to + ", 60000, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))";
  };
  world_->save("rate", 51, rate("51", "49", "2020-01-01", "NULL"));
  EXPECT_EQ(rateOf(), 51);
  world_->save("rate", 52, rate("52", "4930", "2020-01-01", "NULL"));
  EXPECT_EQ(rateOf(), 52);
  world_->save("rate", 52, rate("52", "4930", "2020-01-01", "'2021-01-01'"));
  EXPECT_EQ(rateOf(), 51);
  world_->save("rate", 53, rate("53", "4930", "2021-01-01", "NULL"));
  EXPECT_EQ(rateOf(), 53);
  world_->save("rate", 53, "DELETE FROM rates WHERE id = 53", "deleted");
  EXPECT_EQ(rateOf(), 51);
  world_->save("trunk", party.trunk, "UPDATE trunks SET max_concurrent_incoming = 0 WHERE id = " + std::to_string(party.trunk));
  EXPECT_EQ(rateOf(), 0);
}

}  // namespace
}  // namespace tollgate::component
