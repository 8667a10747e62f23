// How much money the hold of a call should be, from its rate and its talking time (REQUIREMENTS 9.1). Pure: any thread.
#pragma once

#include <chrono>

#include "libs/money/rating.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

// What this much talking time costs; nothing for none.
[[nodiscard]] std::int64_t costOf(const money::Rate& rate, std::chrono::seconds time);

// `confirmed` has been talked; `wanted` and `promised` are totals since the answer. The window is generous up to the outage window beyond
// what is confirmed, unless that is 0.
[[nodiscard]] HoldWindow holdWindow(const Settings& settings, const money::Rate& rate, std::chrono::seconds confirmed,
                                    std::chrono::seconds wanted, std::chrono::seconds promised);

}  // namespace tollgate::billing
