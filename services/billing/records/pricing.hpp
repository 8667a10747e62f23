// The money of a finished call, from its record (REQUIREMENTS 8.4, 8.5). Pure: any thread.
#pragma once

#include "libs/cdr/columns.hpp"

namespace tollgate::billing {

// Charge by the customer's rate, cost by the carrier's, all 0 for a call that was not answered. Never more than what was paid for: if an
// ingress reports more talking time than paid seconds, the seconds beyond them are not charged (REQUIREMENTS 9.2).
[[nodiscard]] cdr::Price priceOf(const call::v1::CallRecord& record);

}  // namespace tollgate::billing
