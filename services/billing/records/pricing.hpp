// The money of a finished call, from its record (REQUIREMENTS 8.4, 8.5). Pure: any thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "libs/cdr/columns.hpp"
#include "services/billing/config/snapshot.hpp"

namespace tollgate::billing {

// The seconds of an answered call that are charged: the talked time rounded up, but never more than what was paid for; 0 paid seconds = not
// known. If an ingress reports more talking time than paid seconds, the seconds beyond them are not charged (REQUIREMENTS 9.2).
[[nodiscard]] std::chrono::seconds chargedSeconds(std::chrono::microseconds talked, std::uint32_t paid_seconds);

// Charge by the customer's rate, cost by the carrier's, all 0 for a call that was not answered.
[[nodiscard]] cdr::Price priceOf(const call::v1::CallRecord& record);

// Adds the carrier's rate to a record that has none although the call had a carrier, because it was made from what billing itself knew of
// a lost call. A lost call keeps its cost.
void addVendorRate(const Snapshot& snapshot, call::v1::CallRecord& record);

}  // namespace tollgate::billing
