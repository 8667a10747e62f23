#include "libs/money/money.hpp"

#include <algorithm>

#include "libs/base/limits.hpp"

namespace tollgate::money {

namespace {

constexpr std::int64_t kMicrosPerUnit = 1'000'000;
constexpr int kDecimals = 6;

bool isDigit(char letter) {
  return letter >= '0' && letter <= '9';
}

// What follows the sign, checked for shape; the value is then a plain sum.
base::Result<void> checkShape(std::string_view whole, std::string_view decimals, bool has_point) {
  const auto is_number = [](std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), isDigit); };
  if (!is_number(whole) || (has_point && !is_number(decimals))) {
    return base::fail(base::ErrorCode::kInvalid, "must be a decimal number such as 12.345678");
  }
  if (decimals.size() > static_cast<std::size_t>(kDecimals)) {
    return base::fail(base::ErrorCode::kInvalid, "must have at most 6 decimals");
  }
  return {};
}

}  // namespace

base::Result<Currency> Currency::parse(std::string_view text) {
  const auto is_letter = [](char letter) { return letter >= 'A' && letter <= 'Z'; };
  if (text.size() != 3 || !std::all_of(text.begin(), text.end(), is_letter)) {
    return base::fail(base::ErrorCode::kInvalid, "must be a currency of three capital letters (ISO 4217) such as USD");
  }
  Currency currency;
  std::copy(text.begin(), text.end(), currency.letters_);
  return currency;
}

base::Result<std::int64_t> parseDecimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  const std::size_t point = text.find('.');
  const bool has_point = point != std::string_view::npos;
  const std::string_view whole = text.substr(0, point);
  const std::string_view decimals = has_point ? text.substr(point + 1) : std::string_view();
  TG_TRY(checkShape(whole, decimals, has_point));

  constexpr std::int64_t kWholeMax = base::limits::kMoneyMicrosMax / kMicrosPerUnit;
  std::int64_t units = 0;
  for (const char digit : whole) {
    units = units * 10 + (digit - '0');
    if (units > kWholeMax) {
      return base::fail(base::ErrorCode::kInvalid, "must not exceed " + formatDecimal(base::limits::kMoneyMicrosMax));
    }
  }
  std::int64_t fraction = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(kDecimals); ++i) {
    fraction = fraction * 10 + (i < decimals.size() ? decimals[i] - '0' : 0);
  }
  const std::int64_t micros = units * kMicrosPerUnit + fraction;
  if (micros > base::limits::kMoneyMicrosMax) {
    return base::fail(base::ErrorCode::kInvalid, "must not exceed " + formatDecimal(base::limits::kMoneyMicrosMax));
  }
  return negative ? -micros : micros;
}

std::string formatDecimal(std::int64_t micros) {
  // Through unsigned, so that INT64_MIN has an absolute value.
  const bool negative = micros < 0;
  const std::uint64_t absolute = negative ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
  std::string decimals = std::to_string(absolute % static_cast<std::uint64_t>(kMicrosPerUnit));
  decimals.insert(0, static_cast<std::size_t>(kDecimals) - decimals.size(), '0');
  return (negative ? "-" : "") + std::to_string(absolute / static_cast<std::uint64_t>(kMicrosPerUnit)) + "." + decimals;
}

}  // namespace tollgate::money
