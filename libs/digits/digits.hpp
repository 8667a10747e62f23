// Dialled numbers, and the prefixes that are compared with them. Values of fixed size that allocate nothing. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/limits.hpp"
#include "libs/base/result.hpp"

namespace tollgate::digits {

// Up to 32 digits 0-9, possibly none.
class Digits {
 public:
  Digits() = default;
  // Errors: kInvalid: more than 32 characters, or one that is no digit.
  [[nodiscard]] static base::Result<Digits> parse(std::string_view text);
  // From the user part of a SIP URI, see bareUserPart. Errors: kInvalid: another character than a digit is left, or more than 32 digits.
  [[nodiscard]] static base::Result<Digits> fromUserPart(std::string_view user);

  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  [[nodiscard]] std::string text() const { return std::string(view()); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool startsWith(std::string_view prefix) const { return view().starts_with(prefix); }
  // Without the first `count` digits; empty when there are no more.
  [[nodiscard]] Digits without(std::size_t count) const;
  friend bool operator==(const Digits& left, const Digits& right) { return left.view() == right.view(); }

 private:
  std::array<char, base::limits::kDigitsMax> text_{};
  std::uint8_t size_ = 0;
};

// The user part of a SIP URI without its parameters (;...), one leading + (or %2B) and the visual separators of RFC 3966 ("-", ".", "(",
// ")"). What is left is not checked, so that a tech prefix can be compared first.
[[nodiscard]] std::string bareUserPart(std::string_view user);

[[nodiscard]] bool isDigits(std::string_view text);  // true for ""

// Whether one of them begins with the other. Equal texts do.
[[nodiscard]] bool eitherStartsOther(std::string_view left, std::string_view right);

// The code of a routing rule or the prefix of a rate: up to 15 digits (REQUIREMENTS 3.5, 8.2) in 64 bits. The first digit is in the highest
// four bits as digit + 1, so that codes sort as text does, and a code sorts before all codes that it starts.
class PrefixCode {
 public:
  PrefixCode() = default;  // the empty code: every number begins with it
  // Errors: kInvalid: more than 15 characters, or one that is no digit.
  [[nodiscard]] static base::Result<PrefixCode> parse(std::string_view text);
  // The first digits of a number, up to 15 and up to the first character that is no digit: what PrefixMap compares its codes with.
  [[nodiscard]] static PrefixCode head(std::string_view number);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::string text() const;
  // Whether `other` begins with this code; every code begins with the empty one and with itself.
  [[nodiscard]] bool starts(PrefixCode other) const { return ((packed_ ^ other.packed_) & mask()) == 0; }
  friend constexpr auto operator<=>(PrefixCode, PrefixCode) = default;

 private:
  [[nodiscard]] std::uint64_t mask() const;
  std::uint64_t packed_ = 0;
};

}  // namespace tollgate::digits
