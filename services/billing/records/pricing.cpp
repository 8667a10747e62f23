#include "services/billing/records/pricing.hpp"

#include <algorithm>

#include "libs/money/rating.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

std::chrono::seconds chargedSeconds(std::chrono::microseconds talked, std::uint32_t paid_seconds) {
  const std::chrono::seconds counted = money::roundUpSeconds(std::max(talked, std::chrono::microseconds(0)));
  return paid_seconds == 0 ? counted : std::min(counted, std::chrono::seconds(paid_seconds));
}

cdr::Price priceOf(const call::v1::CallRecord& record) {
  cdr::Price price;
  const money::Rate rate = wire::fromWire(record.rate());
  price.currency = rate.currency;
  if (!record.has_answered_at()) {
    return price;
  }
  const auto talked = std::max(wire::fromWire(record.talked()), std::chrono::microseconds(0));
  price.talked_ms = std::chrono::duration_cast<std::chrono::milliseconds>(talked).count();
  const std::chrono::seconds counted = chargedSeconds(talked, record.paid_seconds());
  price.talked_seconds = counted.count();
  if (record.has_rate()) {
    price.billed_seconds = money::billedSeconds(rate, counted).count();
    price.charge_micros = money::charge(rate, counted);
  }
  if (record.has_vendor_rate()) {
    price.cost_micros = money::charge(wire::fromWire(record.vendor_rate()), counted);
  }
  price.margin_micros = price.charge_micros - price.cost_micros;
  return price;
}

void addVendorRate(const Snapshot& snapshot, call::v1::CallRecord& record) {
  const TrunkView* carrier = snapshot.trunks.find(base::TrunkId(record.carrier_trunk_id()));
  if (record.has_vendor_rate() || carrier == nullptr || !carrier->vendor_rate_plan.isSet()) {
    return;
  }
  record.set_carrier_customer_id(carrier->customer.value());
  if (const auto rate = snapshot.rates.find(carrier->vendor_rate_plan, record.called_rated(), wire::fromWire(record.setup_at()))) {
    *record.mutable_vendor_rate() = wire::toWire(*rate);
  }
}

}  // namespace tollgate::billing
