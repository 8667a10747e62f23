// Makes the texts that we send, and checks them: what a caller or an operator wrote must not end its field and begin another. Private to
// libs/sofia; pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/result.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::sofia {

inline constexpr std::string_view kAllowedMethods = "INVITE, ACK, CANCEL, BYE, OPTIONS";
inline constexpr std::string_view kHopMarkerHeader = "X-Tollgate-Hop";

enum class IpFamily { kNone, kIpv4, kIpv6 };
[[nodiscard]] IpFamily ipFamily(std::string_view text);

// 192.0.2.1 -> 192.0.2.1, 2001:db8::1 -> [2001:db8::1]
[[nodiscard]] std::string uriHost(std::string_view address);

// sip:192.0.2.1:5060;transport=udp. Errors: kInvalid for a host name or port 0, because nta must never resolve (libs/sofia/TRAPS.md 1.5).
[[nodiscard]] base::Result<std::string> routeUri(const HostPort& hop);

// User part of a SIP URI: percent-escapes whatever RFC 3261 25.1 does not allow there.
[[nodiscard]] std::string escapeUser(std::string_view user);

// user=phone;x=y (RFC 3261 19.1.1). Errors: kInvalid for what is not made of tokens, and for `transport`, `maddr`, `method`, `ttl` and
// `lr`, which would steer the request.
[[nodiscard]] base::Result<void> checkUriParams(std::string_view params);

// Header lines "Name: value\r\n". Errors: kInvalid for names that are no tokens or that the stack writes itself, for values with control
// characters, and beyond 100 lines or 8 kB in all.
[[nodiscard]] base::Result<std::string> headerLines(const Headers& headers);

// Errors: kInvalid for NUL in the text, a type without slash or with control characters; kOverLimit for more than fits a datagram with its
// headers.
[[nodiscard]] base::Result<void> checkBody(const Body& body);

}  // namespace tollgate::sofia
