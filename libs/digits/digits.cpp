#include "libs/digits/digits.hpp"

#include <algorithm>
#include <bit>

namespace tollgate::digits {
namespace {

constexpr bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
constexpr unsigned kNibbles = 16;

constexpr unsigned shiftOf(std::size_t at) {
  return 4U * (kNibbles - 1U - static_cast<unsigned>(at));
}

std::uint64_t pack(std::string_view digits) {
  std::uint64_t packed = 0;
  for (std::size_t at = 0; at < digits.size(); ++at) {
    packed |= static_cast<std::uint64_t>(digits[at] - '0' + 1) << shiftOf(at);
  }
  return packed;
}

}  // namespace

base::Result<Digits> Digits::parse(std::string_view text) {
  if (text.size() > base::limits::kDigitsMax) {
    return base::fail(base::ErrorCode::kInvalid, "a number has at most " + std::to_string(base::limits::kDigitsMax) + " digits");
  }
  if (!isDigits(text)) {
    return base::fail(base::ErrorCode::kInvalid, "a number has only digits");
  }
  Digits digits;
  text.copy(digits.text_.data(), text.size());
  digits.size_ = static_cast<std::uint8_t>(text.size());
  return digits;
}

base::Result<Digits> Digits::fromUserPart(std::string_view user) {
  return parse(bareUserPart(user));
}

Digits Digits::without(std::size_t count) const {
  Digits rest;
  const std::string_view kept = view().substr(std::min(count, size()));
  kept.copy(rest.text_.data(), kept.size());
  rest.size_ = static_cast<std::uint8_t>(kept.size());
  return rest;
}

std::string bareUserPart(std::string_view user) {
  user = user.substr(0, user.find(';'));
  if (user.starts_with('+')) {
    user.remove_prefix(1);
  } else if (user.starts_with("%2B") || user.starts_with("%2b")) {
    user.remove_prefix(3);
  }
  std::string bare;
  bare.reserve(user.size());
  std::copy_if(user.begin(), user.end(), std::back_inserter(bare), [](char c) { return c != '-' && c != '.' && c != '(' && c != ')'; });
  return bare;
}

bool isDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), isDigit);
}

bool eitherStartsOther(std::string_view left, std::string_view right) {
  return left.starts_with(right) || right.starts_with(left);
}

base::Result<PrefixCode> PrefixCode::parse(std::string_view text) {
  if (text.size() > base::limits::kRuleCodeDigitsMax || !isDigits(text)) {
    return base::fail(base::ErrorCode::kInvalid, "must be 0 to " + std::to_string(base::limits::kRuleCodeDigitsMax) + " digits");
  }
  PrefixCode code;
  code.packed_ = pack(text);
  return code;
}

PrefixCode PrefixCode::head(std::string_view number) {
  number = number.substr(0, base::limits::kRuleCodeDigitsMax);
  const auto end = std::find_if_not(number.begin(), number.end(), isDigit);
  PrefixCode code;
  code.packed_ = pack(number.substr(0, static_cast<std::size_t>(end - number.begin())));
  return code;
}

std::size_t PrefixCode::size() const {
  return packed_ == 0 ? 0 : kNibbles - static_cast<unsigned>(std::countr_zero(packed_)) / 4U;
}

std::string PrefixCode::text() const {
  std::string out(size(), '0');
  for (std::size_t at = 0; at < out.size(); ++at) {
    out[at] = static_cast<char>('0' - 1 + static_cast<char>(packed_ >> shiftOf(at) & 0xfU));
  }
  return out;
}

std::uint64_t PrefixCode::mask() const {
  return packed_ == 0 ? 0 : ~std::uint64_t{0} << (static_cast<unsigned>(std::countr_zero(packed_)) / 4U * 4U);
}

}  // namespace tollgate::digits
