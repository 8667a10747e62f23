// From a call's record to its money (REQUIREMENTS 8.4, 8.5). Pure, any thread.
#pragma once

#include <cstdint>

#include "libs/money/money.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

// A call that is over, as it will be written down.
struct FinishedCall {
  call::v1::EventHeader header;
  call::v1::CallRecord record;
  bool lost = false;  // closed by its lease, not by its ingress
};

struct Price {
  std::int64_t talked_ms = 0;
  std::int64_t talked_seconds = 0;  // d of 8.4
  std::int64_t billed_seconds = 0;
  std::int64_t charge_micros = 0;
  std::int64_t cost_micros = 0;
  std::int64_t margin_micros = 0;
  money::Currency currency;
};

// Never beyond what was paid: should an ingress report more talk than it had paid seconds, the seconds above them are not charged
// (REQUIREMENTS 9.2).
[[nodiscard]] Price priceOf(const call::v1::CallRecord& record);

}  // namespace tollgate::billing
