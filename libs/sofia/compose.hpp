// Text of what we send, checked so that nothing of a caller's or an operator's can break out of its place. Private to libs/sofia; pure.
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

// sip:192.0.2.1:5060;transport=udp. kInvalid for a host name or port 0: nta must never resolve.
[[nodiscard]] base::Result<std::string> routeUri(const HostPort& hop);

// User part of a SIP URI: percent-escapes whatever RFC 3261 does not allow there.
[[nodiscard]] std::string escapeUser(std::string_view user);

// "A \"name\"" with quotes; "" stays "". Control characters are dropped.
[[nodiscard]] std::string quoteDisplay(std::string_view display);

// user=phone;x=y: tokens, kInvalid for anything else. `transport`, `maddr`, `method` are refused: they would steer the request.
[[nodiscard]] base::Result<void> checkUriParams(std::string_view params);

// Header lines "Name: value\r\n". kInvalid for names that are no tokens or that the stack writes itself, for values with control
// characters, and beyond 100 lines or 8 kB in all.
[[nodiscard]] base::Result<std::string> headerLines(const Headers& headers);

// kInvalid: NUL in the text, a type without slash or with control characters; kOverLimit: larger than fits a datagram with its headers.
[[nodiscard]] base::Result<void> checkBody(const Body& body);

}  // namespace tollgate::sofia
