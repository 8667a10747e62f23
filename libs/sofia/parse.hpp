// Converts Sofia's parsed messages to our plain values. Private to libs/sofia; pure functions, loop thread (they read Sofia's memory). The
// values own their text. Nothing here fails: a field that is absent or unreadable is empty, and the owner of calls decides what that means.
#pragma once

#include <string>
#include <vector>

#include "libs/sofia/messages.hpp"
#include "libs/sofia/sofia_api.hpp"

namespace tollgate::sofia {

[[nodiscard]] Method methodOf(sip_method_t method) noexcept;
[[nodiscard]] Source sourceOf(const su_sockaddr_t* address, std::size_t listener) noexcept;
[[nodiscard]] Body bodyOf(const sip_t& sip);

// How our own hops are recognised.
struct OwnHops {
  std::vector<HostPort> addresses;  // the advertised ones
  std::string marker;
};
// Requires: `sip` is a request that passed nta's checks, so its mandatory headers are there.
[[nodiscard]] InviteIn parseInvite(const sip_t& sip, const Source& source, const OwnHops& own);
// Requires: `sip` is a response.
[[nodiscard]] ResponseIn parseResponse(const sip_t& sip);

// Next hop of a Route or Contact URI; the address is empty when it is not an IP literal.
[[nodiscard]] HostPort hopOf(const url_t& url);

}  // namespace tollgate::sofia
