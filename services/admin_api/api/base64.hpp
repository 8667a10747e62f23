// Base64 (RFC 4648) of HTTP Basic credentials and, in the alphabet for URLs, of cursors. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::admin_api {

inline constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Without padding.
[[nodiscard]] std::string toBase64(std::string_view bytes, std::string_view alphabet);
// With or without padding; nothing when a character is not of the alphabet.
[[nodiscard]] std::optional<std::string> fromBase64(std::string_view text, std::string_view alphabet);

}  // namespace tollgate::admin_api
