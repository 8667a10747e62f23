#include "services/billing/pricing.hpp"

#include <algorithm>

#include "libs/money/rating.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

Price priceOf(const call::v1::CallStory& story) {
  Price price;
  const money::Rate rate = fromWire(story.rate());
  price.currency = rate.currency;
  if (!story.has_answered_at()) {
    return price;
  }
  const auto talked = std::max(fromWire(story.talked()), std::chrono::microseconds(0));
  price.talked_ms = std::chrono::duration_cast<std::chrono::milliseconds>(talked).count();
  std::chrono::seconds counted = money::roundUpSeconds(talked);
  if (story.paid_seconds() != 0) {
    counted = std::min(counted, std::chrono::seconds(story.paid_seconds()));
  }
  price.talked_seconds = counted.count();
  if (story.has_rate()) {
    price.billed_seconds = money::billedSeconds(rate, counted).count();
    price.charge_micros = money::charge(rate, counted);
  }
  if (story.has_vendor_rate()) {
    price.cost_micros = money::charge(fromWire(story.vendor_rate()), counted);
  }
  price.margin_micros = price.charge_micros - price.cost_micros;
  return price;
}

}  // namespace tollgate::billing
