// Bounds that more than one library or service must agree on (STYLE 25, ARCHITECTURE "Security"). Constants; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate::base::limits {

constexpr std::size_t kDigitsMax = 32;              // dialled number
constexpr std::size_t kRuleCodeDigitsMax = 15;      // REQUIREMENTS 3.5, 8.2
constexpr std::size_t kTechPrefixDigitsMax = 6;     // REQUIREMENTS 2.2
constexpr std::size_t kSipMessageBytesMax = 65536;  // one datagram
constexpr std::size_t kSdpBytesMax = 16384;
constexpr std::size_t kSdpLinesMax = 400;
constexpr std::size_t kCandidatesMax = 32;  // per call, next-trunk chain included
constexpr std::size_t kEndpointsPerTrunkMax = 16;
constexpr std::size_t kAttemptsMax = 64;  // recorded per call
constexpr std::size_t kHttpBodyBytesMax = 1U << 20U;
constexpr std::size_t kJsonDepthMax = 16;
constexpr std::size_t kJsonValuesMax = 10'000;  // of one request body: objects, lists and what is in them
constexpr std::size_t kPageRowsMax = 500;
// Wide enough for every currency of ISO 4217: in rupiah or rial an ordinary amount has twelve digits. An available balance, which is a
// balance and two limits, is still below 2^63.
constexpr std::int64_t kMoneyMicrosMax = 1'000'000'000'000'000'000;  // 1e12 units; larger amounts are refused where they enter
constexpr std::int64_t kRatePerMinuteMicrosMax = 1'000'000'000'000;  // 1,000,000 units a minute

}  // namespace tollgate::base::limits
