// Small functions over text that several folders need. ASCII only. Pure: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::base {

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string upper(std::string_view text);
// The text without blanks, tabs and line ends at its beginning and end.
[[nodiscard]] std::string_view trimmed(std::string_view text);
// "a, b" of a and b.
[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view separator);
// The whole text as a decimal number; nullopt when it is not one or does not fit.
[[nodiscard]] std::optional<std::int64_t> parseInteger(std::string_view text);
// Two lower-case hex digits for each byte.
[[nodiscard]] std::string hex(std::string_view bytes);
// Compares in a time that depends only on the length of `given`.
[[nodiscard]] bool isSameSecret(std::string_view expected, std::string_view given);

}  // namespace tollgate::base
