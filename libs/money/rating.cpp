#include "libs/money/rating.hpp"

#include <algorithm>
#include <limits>

namespace tollgate::money {

namespace {

// ISO C++ has no 128 bit integer. __extension__ keeps -Wpedantic from warning about the one of GCC and clang.
__extension__ using Wide = __int128;

constexpr std::int64_t kSecondsPerMinute = 60;

// A block of 0 would divide by zero. The API refuses it; a row that has it nevertheless is billed by the second.
std::int64_t blockOf(const Rate& rate) {
  return std::max<std::int64_t>(rate.billing_block_seconds, 1);
}

}  // namespace

std::chrono::seconds roundUpSeconds(std::chrono::microseconds talked) {
  return std::max(std::chrono::ceil<std::chrono::seconds>(talked), std::chrono::seconds(0));
}

std::chrono::seconds billedSeconds(const Rate& rate, std::chrono::seconds talked) {
  const std::int64_t connection = std::max<std::int64_t>(rate.connection_seconds, 0);
  if (talked.count() <= connection) {
    return std::chrono::seconds(connection);
  }
  const std::int64_t block = blockOf(rate);
  const std::int64_t beyond = talked.count() - connection;
  const std::int64_t blocks = beyond / block + (beyond % block != 0 ? 1 : 0);
  return std::chrono::seconds(connection + blocks * block);
}

std::int64_t charge(const Rate& rate, std::optional<std::chrono::seconds> talked) {
  if (!talked) {
    return 0;
  }
  const Wide product = static_cast<Wide>(rate.per_minute_micros) * billedSeconds(rate, *talked).count();
  const Wide sum = static_cast<Wide>(rate.connection_fee_micros) + (product + kSecondsPerMinute / 2) / kSecondsPerMinute;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return sum > kMost ? kMost : static_cast<std::int64_t>(sum);
}

std::int64_t firstBlockCost(const Rate& rate) {
  return charge(rate, std::chrono::seconds(1));
}

std::chrono::seconds maxSecondsFor(const Rate& rate, std::int64_t amount_micros) {
  if (firstBlockCost(rate) > amount_micros) {
    return std::chrono::seconds(0);
  }
  if (rate.per_minute_micros <= 0) {
    return kPaidSecondsMax;
  }
  // floor((r * B + 30) / 60) <= A  is the same as  r * B <= 60 * A + 29, so the most billed seconds follow by one division.
  const Wide beyond_fee = static_cast<Wide>(amount_micros) - rate.connection_fee_micros;
  const Wide billed_max = (beyond_fee * kSecondsPerMinute + (kSecondsPerMinute / 2 - 1)) / rate.per_minute_micros;
  const std::int64_t connection = std::max<std::int64_t>(rate.connection_seconds, 0);
  const Wide blocks = (billed_max - connection) / blockOf(rate);
  const Wide seconds = connection + blocks * blockOf(rate);
  return seconds > kPaidSecondsMax.count() ? kPaidSecondsMax : std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

}  // namespace tollgate::money
