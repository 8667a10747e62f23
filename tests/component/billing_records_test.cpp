// What tollgate-billing writes for the records of a call: corrections, prices that can be computed again, both times of an entry. After
// each test the books agree (REQUIREMENTS 9.6).
#include <gtest/gtest.h>

#include "libs/cdr/trace.hpp"
#include "libs/money/rating.hpp"
#include "libs/wire/wire.hpp"
#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingRecords : public BillingSuite {
 protected:
  // A record of one of the carrier's calls, made `age` ago.
  static void publish(const std::string& call, const call::v1::CallRecord& record, seconds age, const std::string& message) {
    call::v1::CallEnded ended;
    ended.mutable_header()->set_call_id(call);
    ended.mutable_header()->set_instance("ingress-1");
    *ended.mutable_header()->mutable_at() = wire::toWire(base::SystemClock().wall() - age);
    *ended.mutable_record() = record;
    world_->publish("ended", call + message, ended.SerializeAsString());
  }
  static call::v1::CallRecord record(const Party& party, std::int64_t talked) {
    billing::v1::Reserved reserved;
    for (auto* rate : {reserved.mutable_rate(), reserved.mutable_occupied()->mutable_vendor_rate()}) {
      rate->set_plan_id(1);
      rate->set_currency("USD");
      rate->set_per_minute_micros(60'000);
      rate->set_billing_block_seconds(1);
    }
    auto record = BillingWorld::record(party, carrier_, reserved, talked);
    record.set_paid_seconds(3600);
    return record;
  }
};

// REQUIREMENTS 9.3: lost, true, another true one with other seconds; older ones that come late change nothing; the ledger is only added to.
TEST_F(BillingRecords, ASecondCorrectionCorrectsTheFirst) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  const std::string call = world_->newCall();
  auto lost = record(party, 7);
  lost.set_reason(common::v1::REASON_INSTANCE_LOST);
  publish(call, lost, seconds(1), ".lost");
  ASSERT_TRUE(waitUntil([&] { return world_->cdr(call, "charge_micros, cost_micros, corrections") == "7000\t7000\t0"; }));
  publish(call, record(party, 11), seconds(60), ".true");
  EXPECT_TRUE(waitUntil([&] { return world_->cdr(call, "charge_micros, cost_micros, corrections") == "11000\t11000\t1"; }));
  publish(call, record(party, 9), seconds(30), ".later");
  EXPECT_TRUE(waitUntil([&] { return world_->cdr(call, "charge_micros, cost_micros, corrections") == "9000\t9000\t2"; }));
  publish(call, record(party, 11), seconds(60), ".true again");
  publish(call, lost, seconds(0), ".lost again");
  publish(call, record(party, 12), seconds(20), ".last");
  EXPECT_TRUE(waitUntil([&] { return world_->cdr(call, "charge_micros, corrections") == "12000\t3"; }));
  EXPECT_EQ(world_->maria().runSql("SELECT transfer_id, amount_micros FROM ledger_entries WHERE line = 1 AND call_id = '" + call +
                                   "' ORDER BY id"),
            "call:" + call + "\t-7000\ncall:" + call + ":correction\t-4000\ncall:" + call + ":correction:2\t2000\ncall:" + call +
                ":correction:3\t-3000\n");
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->posted().micros() == kUnit - 12'000; }));
}

// REQUIREMENTS 8.4, 8.5: a row has all terms of both rates, so charge and cost can be computed again from it.
TEST_F(BillingRecords, ChargeAndCostFollowFromTheRow) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, 1000 * kUnit, "first").has_value());
  std::vector<std::string> calls;
  for (int i = 0; i < 12; ++i) {
    calls.push_back(world_->newCall());
    auto one = record(party, 17 * i + 1);
    for (auto* rate : {one.mutable_rate(), one.mutable_vendor_rate()}) {
      const bool vendor = rate == one.mutable_vendor_rate();
      rate->set_rate_id(vendor ? 2 : 1);
      rate->set_per_minute_micros(61'003 + 1'777 * i - (vendor ? 20'000 : 0));
      rate->set_connection_fee_micros(i % 3 * 1'234 + (vendor ? 5 : 0));
      rate->set_connection_seconds(static_cast<std::uint32_t>(i % 4 * 20 + (vendor ? 7 : 0)));
      rate->set_billing_block_seconds(static_cast<std::uint32_t>(i % 5 * 6 + (vendor ? 2 : 1)));
    }
    publish(calls.back(), one, seconds(0), ".9");
  }
  sql::Pool pool(testkit::settingsOf(world_->maria()));
  for (const std::string& call : calls) {
    ASSERT_TRUE(world_->waitCdr(call));
    const auto rows = pool.use<sql::Rows>([&](sql::Session& session) {
      return session.query(
          "SELECT talked_seconds, charge_micros, cost_micros, margin_micros, rate_per_minute_micros, rate_connection_fee_micros, "
          "rate_connection_seconds, rate_billing_block_seconds, vendor_rate_per_minute_micros, vendor_rate_connection_fee_micros, "
          "vendor_rate_connection_seconds, vendor_rate_billing_block_seconds FROM cdrs WHERE call_id = ?",
          {call});
    });
    ASSERT_TRUE(rows.has_value() && rows->size() == 1);
    const sql::Row& row = rows->front();
    const auto computed = [&row](std::size_t first) {
      money::Rate rate;
      rate.per_minute_micros = row.integer(first);
      rate.connection_fee_micros = row.integer(first + 1);
      rate.connection_seconds = row.integer(first + 2);
      rate.billing_block_seconds = row.integer(first + 3);
      return money::charge(rate, seconds(row.integer(0)));
    };
    EXPECT_EQ(row.integer(1), computed(4)) << call;
    EXPECT_EQ(row.integer(2), computed(8)) << call;
    EXPECT_EQ(row.integer(3), row.integer(1) - row.integer(2)) << call;
    EXPECT_GT(row.integer(2), 0);
  }
}

// REQUIREMENTS 9.4: when it happened and when it was written are two facts.
TEST_F(BillingRecords, AnEntryHasTheTimeOfTheEventAndOfItsPosting) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  const std::string call = world_->newCall();
  auto late = record(party, 5);
  *late.mutable_ended_at() = wire::toWire(base::SystemClock().wall() - std::chrono::hours(30));
  publish(call, late, seconds(0), ".9");
  ASSERT_TRUE(world_->waitCdr(call));
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM ledger_entries WHERE call_id = '" + call +
                           "' AND TIMESTAMPDIFF(MINUTE, at, posted_at) BETWEEN 1799 AND 1801 AND "
                           "ABS(TIMESTAMPDIFF(SECOND, posted_at, UTC_TIMESTAMP(6))) < 60"),
            2);
}

// REQUIREMENTS 9.4: an adjustment moves no cash.
TEST_F(BillingRecords, AdjustmentsHaveAnAccountOfTheirOwn) {
  const Party party = world_->makeParty();
  const auto sum = [&](const std::string& account) {
    return world_->number("SELECT COALESCE(SUM(balance_micros), 0) FROM accounts WHERE account = '" + account + "'");
  };
  const auto cash = sum("system:cash:USD");
  const auto adjustments = sum("system:adjustment:USD");
  ASSERT_TRUE(world_->pay(party, 5 * kUnit, "paid").has_value());
  ASSERT_TRUE(world_->pay(party, -2 * kUnit, "adjusted", billing::v1::MOVEMENT_KIND_ADJUSTMENT).has_value());
  ASSERT_TRUE(world_->pay(party, kUnit, "refunded", billing::v1::MOVEMENT_KIND_REFUND).has_value());
  EXPECT_EQ(sum("system:cash:USD"), cash - 4 * kUnit);
  EXPECT_EQ(sum("system:adjustment:USD"), adjustments + 2 * kUnit);
}

// REQUIREMENTS 10.3: the trace is stored compactly and read as it was.
TEST_F(BillingRecords, ATraceIsStoredPackedWithEveryByteOfIt) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  std::size_t stored = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string call = world_->newCall();
    auto one = record(party, 1);
    one.clear_trace();
    for (int step = 0; step <= i; ++step) {
      auto& added = *one.add_trace();
      added.set_stage(step % 2 == 0 ? "auth" : "billing");
      added.set_check("check " + std::to_string(step * 7919));
      added.set_found("found " + std::to_string(step * 104729 + i));
      added.set_passed(step % 3 != 0);
    }
    publish(call, one, seconds(0), ".9");
    ASSERT_TRUE(world_->waitCdr(call));
    sql::Pool pool(testkit::settingsOf(world_->maria()));
    const auto rows =
        pool.use<sql::Rows>([&](sql::Session& session) { return session.query("SELECT trace FROM cdr_traces WHERE call_id = ?", {call}); });
    ASSERT_TRUE(rows.has_value() && rows->size() == 1);
    stored += rows->front().text(0).size();
    const auto steps = cdr::unpackTrace(rows->front().text(0));
    ASSERT_TRUE(steps.has_value()) << steps.error().message;
    ASSERT_EQ(steps->size(), static_cast<std::size_t>(i + 1));
    EXPECT_EQ(steps->back().found, one.trace(i).found());
    EXPECT_EQ(steps->back().passed, one.trace(i).passed());
  }
  EXPECT_GT(stored, 0U);
}

}  // namespace
}  // namespace tollgate::component
