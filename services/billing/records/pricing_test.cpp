// From records to money and rows; no servers.
#include "services/billing/records/pricing.hpp"

#include <gtest/gtest.h>

#include "libs/base/limits.hpp"
#include "services/billing/accounts/payments.hpp"
#include "services/billing/accounts/sweeper.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kCall = "01KAFZ0000000000000000TEST";

base::WallTime at(std::int64_t second) {
  return base::WallTime(seconds(second));
}

call::v1::CallRecord answered(milliseconds talked, std::uint32_t paid_seconds) {
  call::v1::CallRecord record;
  *record.mutable_answered_at() = wire::toWire(at(1000));
  *record.mutable_talked() = wire::toWire(talked);
  record.set_paid_seconds(paid_seconds);
  record.mutable_rate()->set_per_minute_micros(60'000);
  record.mutable_rate()->set_billing_block_seconds(1);
  record.mutable_rate()->set_currency("USD");
  record.mutable_vendor_rate()->set_per_minute_micros(30'000);
  record.mutable_vendor_rate()->set_billing_block_seconds(60);
  return record;
}

// REQUIREMENTS 8.4, 8.5: charge from the customer's rate, cost from the carrier's, margin the difference.
TEST(PriceOf, ChargesByTheCustomerRateAndCostsByTheVendorRate) {
  const cdr::Price price = priceOf(answered(milliseconds(12'001), 60));
  EXPECT_EQ(price.talked_ms, 12'001);
  EXPECT_EQ(price.talked_seconds, 13);
  EXPECT_EQ(price.billed_seconds, 13);
  EXPECT_EQ(price.charge_micros, 13'000);
  EXPECT_EQ(price.cost_micros, 30'000);
  EXPECT_EQ(price.margin_micros, -17'000);
  EXPECT_EQ(price.currency.text(), "USD");
}

TEST(PriceOf, IsNothingWhenNotAnswered) {
  call::v1::CallRecord record = answered(milliseconds(12'000), 60);
  record.clear_answered_at();
  record.mutable_rate()->set_connection_fee_micros(5);
  const cdr::Price price = priceOf(record);
  EXPECT_EQ(price.charge_micros, 0);
  EXPECT_EQ(price.cost_micros, 0);
  EXPECT_EQ(price.billed_seconds, 0);
}

// REQUIREMENTS 9.2: never beyond the paid time.
TEST(PriceOf, NeverChargesBeyondThePaidSeconds) {
  EXPECT_EQ(priceOf(answered(milliseconds(61'000), 60)).charge_micros, 60'000);
}

TEST(PriceOf, ChargesNothingWithoutARate) {
  call::v1::CallRecord record = answered(milliseconds(5'000), 60);
  record.clear_rate();
  EXPECT_EQ(priceOf(record).charge_micros, 0);
  EXPECT_EQ(priceOf(record).talked_seconds, 5);
}

// REQUIREMENTS 9.5: closed for the confirmed time.
TEST(LostCall, TalksUpToItsConfirmedSecond) {
  call::v1::CallAnswered known;
  known.mutable_header()->set_instance("ingress-1");
  *known.mutable_record() = answered(milliseconds(0), 60);
  const cdr::FinishedCall lost = lostCall(kCall, known.SerializeAsString(), 85, at(5000));
  EXPECT_EQ(lost.record.reason(), common::v1::REASON_INSTANCE_LOST);
  EXPECT_EQ(lost.header.call_id(), kCall);
  EXPECT_EQ(lost.header.instance(), "ingress-1");
  EXPECT_EQ(wire::fromWire(lost.record.ended_at()), at(1085));
  EXPECT_EQ(priceOf(lost.record).charge_micros, 85'000);
}

TEST(LostCall, CostsNothingWhenItWasNeverAnswered) {
  call::v1::CallAnswered known;
  known.mutable_record()->set_customer_id(4);
  const cdr::FinishedCall lost = lostCall(kCall, known.SerializeAsString(), 0, at(5000));
  EXPECT_FALSE(lost.record.has_answered_at());
  EXPECT_EQ(priceOf(lost.record).charge_micros, 0);
  EXPECT_EQ(wire::fromWire(lost.record.ended_at()), at(5000));
}

TEST(LostCall, IsStillWrittenWhenNothingIsKnown) {
  const cdr::FinishedCall lost = lostCall(kCall, "\xFF\xFF not a message", 7, at(5000));
  EXPECT_EQ(wire::fromWire(lost.record.answered_at()), at(4993));
  EXPECT_EQ(priceOf(lost.record).talked_seconds, 7);
}

// REQUIREMENTS 8.5: what billing itself knew of a lost call says which carrier it had; its cost follows from the carrier's plan.
TEST(LostCall, KeepsItsCost) {
  money::RateRow row;
  row.id = base::RateId(5);
  row.prefix = "374";
  row.per_minute_micros = 30'000;
  row.connection_fee_micros = 700;
  row.billing_block_seconds = 1;
  const base::RatePlanId plan(2);
  Snapshot snapshot;
  snapshot.rates = money::RateTable({{plan, money::PlanRates::build(plan, money::Currency::parse("USD").value(), {row}).value()}});
  feed::WorkingRows<base::TrunkId, TrunkView> trunks;
  TrunkView carrier;
  carrier.id = base::TrunkId(9);
  carrier.customer = base::CustomerId(3);
  carrier.vendor_rate_plan = plan;
  trunks.set(carrier.id, carrier);
  snapshot.trunks = trunks.publish();

  call::v1::CallAnswered known;
  known.mutable_record()->set_carrier_trunk_id(9);
  known.mutable_record()->set_called_rated("37410123456");
  *known.mutable_record()->mutable_setup_at() = wire::toWire(at(3990));
  cdr::FinishedCall lost = lostCall(kCall, known.SerializeAsString(), 60, at(5000));
  EXPECT_EQ(priceOf(lost.record).cost_micros, 0);
  addVendorRate(snapshot, lost.record);
  EXPECT_EQ(priceOf(lost.record).cost_micros, 30'700);
  EXPECT_EQ(lost.record.carrier_customer_id(), 3);

  lost.record.mutable_vendor_rate()->set_connection_fee_micros(1);
  addVendorRate(snapshot, lost.record);
  EXPECT_EQ(priceOf(lost.record).cost_micros, 30'001) << "the rate that the call was placed with stays";
}

v1::PostPaymentRequest payment() {
  v1::PostPaymentRequest request;
  request.set_customer_id(1);
  request.set_idempotency_key("key-1");
  request.set_kind(v1::MOVEMENT_KIND_PAYMENT);
  request.mutable_amount()->set_micros(5);
  request.mutable_amount()->set_currency("USD");
  request.set_author("finance");
  return request;
}

// REQUIREMENTS 1.8: amount, reference, author, key.
TEST(CheckPayment, NamesTheFieldAndTheRule) {
  EXPECT_TRUE(checkPayment(payment()).has_value());
  const auto broken = [](auto change) {
    v1::PostPaymentRequest request = payment();
    change(request);
    const auto checked = checkPayment(request);
    return checked ? std::string() : checked.error().message.substr(0, checked.error().message.find(':'));
  };
  EXPECT_EQ(broken([](auto& request) { request.mutable_amount()->set_micros(0); }), "amount");
  EXPECT_EQ(broken([](auto& request) { request.mutable_amount()->set_micros(-1); }), "amount");
  EXPECT_EQ(broken([](auto& request) { request.mutable_amount()->set_micros(base::limits::kMoneyMicrosMax + 1); }), "amount");
  EXPECT_EQ(broken([](auto& request) { request.clear_kind(); }), "kind");
  EXPECT_EQ(broken([](auto& request) { request.clear_author(); }), "author");
  EXPECT_EQ(broken([](auto& request) { request.set_idempotency_key(""); }), "idempotency_key");
  EXPECT_EQ(broken([](auto& request) { request.set_idempotency_key("blank "); }), "idempotency_key");
  EXPECT_EQ(broken([](auto& request) { request.set_idempotency_key(std::string(129, 'k')); }), "idempotency_key");
  EXPECT_EQ(broken([](auto& request) { request.set_reference(std::string(129, 'r')); }), "reference");
  EXPECT_EQ(broken([](auto& request) { request.set_note(std::string(256, 'n')); }), "note");
  EXPECT_EQ(broken([](auto& request) {
              request.set_kind(v1::MOVEMENT_KIND_ADJUSTMENT);
              request.mutable_amount()->set_micros(-1);
            }),
            "");
}

}  // namespace
}  // namespace tollgate::billing
