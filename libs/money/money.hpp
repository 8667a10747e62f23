// Amounts as integers: micro-units of a currency (1 USD = 1,000,000), parsed from and written as decimal text. Pure functions, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::money {

constexpr std::int64_t kMicrosPerUnit = 1'000'000;
constexpr int kDecimals = 6;

// ISO 4217 letters, e.g. "USD". Three upper-case ASCII letters or unset.
class Currency {
 public:
  Currency() = default;
  // kInvalid: not three letters A-Z.
  [[nodiscard]] static base::Result<Currency> parse(std::string_view text);
  [[nodiscard]] std::string text() const { return isSet() ? std::string(letters_, sizeof(letters_)) : std::string(); }
  [[nodiscard]] bool isSet() const { return letters_[0] != '\0'; }
  friend auto operator<=>(const Currency&, const Currency&) = default;

 private:
  char letters_[3] = {'\0', '\0', '\0'};
};

struct Money {
  std::int64_t micros = 0;
  Currency currency;
  friend bool operator==(const Money&, const Money&) = default;
};

// "12.345678", "-0.5", "7": optional sign, digits, at most six decimals; no exponent, blanks or separators; not beyond
// limits::kMoneyMicrosMax either way. kInvalid, and the message is the rule that was broken.
[[nodiscard]] base::Result<std::int64_t> parseDecimal(std::string_view text);

// "12.345678": always six decimals.
[[nodiscard]] std::string formatDecimal(std::int64_t micros);

// "12.345678 USD"
[[nodiscard]] std::string format(const Money& money);

}  // namespace tollgate::money
