// Amounts as integers: micro-units of a currency (1 USD = 1,000,000), parsed from and written as decimal text.
// Threads: any; everything here is pure. Owns nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::money {

// ISO 4217 letters, e.g. "USD". Three upper-case ASCII letters or unset.
class Currency {
 public:
  Currency() = default;
  // Errors: kInvalid, not three letters A-Z.
  [[nodiscard]] static base::Result<Currency> parse(std::string_view text);
  [[nodiscard]] std::string text() const { return isSet() ? std::string(letters_, sizeof(letters_)) : std::string(); }
  [[nodiscard]] bool isSet() const { return letters_[0] != '\0'; }
  friend auto operator<=>(const Currency&, const Currency&) = default;

 private:
  char letters_[3] = {'\0', '\0', '\0'};
};

// "12.345678", "-0.5", "7": optional sign, digits, at most six decimals; no exponent, blanks or separators; not beyond
// limits::kMoneyMicrosMax in either direction. Errors: kInvalid, the message is the rule that was broken.
[[nodiscard]] base::Result<std::int64_t> parseDecimal(std::string_view text);

// "12.345678": always six decimals.
[[nodiscard]] std::string formatDecimal(std::int64_t micros);

}  // namespace tollgate::money
