// What a call costs under a rate (REQUIREMENTS 8.4), and how long an amount lasts. Exact integers: products in 128 bits, rounded half up to
// one micro-unit. Threads: any; everything here is pure. Owns nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "libs/base/ids.hpp"
#include "libs/money/money.hpp"

namespace tollgate::money {

// A rate as it is pinned to a call (REQUIREMENTS 8.2, 8.3). All amounts >= 0, billing_block_seconds >= 1.
struct Rate {
  base::RatePlanId plan;
  base::RateId id;
  std::string prefix;
  Currency currency;
  std::int64_t per_minute_micros = 0;
  std::int64_t connection_fee_micros = 0;
  std::int64_t connection_seconds = 0;
  std::int64_t billing_block_seconds = 1;
  friend bool operator==(const Rate&, const Rate&) = default;
};

// The upper limit of maxSecondsFor(), for a free rate or a very high balance: one year.
constexpr std::chrono::seconds kPaidSecondsMax{365LL * 24 * 3600};

// REQUIREMENTS 8.4 d: answered time in whole seconds, rounded up. Negative time is 0.
[[nodiscard]] std::chrono::seconds roundUpSeconds(std::chrono::microseconds talked);

// Billed seconds of an answered call: s for d <= s, and s + ceil((d - s) / b) * b beyond.
[[nodiscard]] std::chrono::seconds billedSeconds(const Rate& rate, std::chrono::seconds talked);

// Micro-units for d seconds of talking; 0 for nullopt, a call that was not answered. Saturates at INT64_MAX instead of overflowing.
[[nodiscard]] std::int64_t charge(const Rate& rate, std::optional<std::chrono::seconds> talked);

// Fee and first block: the least credit that a call needs to start (REQUIREMENTS 9.1).
[[nodiscard]] std::int64_t firstBlockCost(const Rate& rate);

// The largest d with charge(rate, d) <= amount, not beyond kPaidSecondsMax. 0 if the first second is not covered.
[[nodiscard]] std::chrono::seconds maxSecondsFor(const Rate& rate, std::int64_t amount_micros);

}  // namespace tollgate::money
