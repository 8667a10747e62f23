// From Sofia's parsed messages to our plain views. Private to libs/sofia; pure.
#pragma once

#include <string>
#include <vector>

#include "libs/sofia/messages.hpp"
#include "libs/sofia/sofia_api.hpp"

namespace tollgate::sofia {

[[nodiscard]] Method methodOf(sip_method_t method) noexcept;
[[nodiscard]] Source sourceOf(const su_sockaddr_t* address, std::size_t listener) noexcept;
[[nodiscard]] Body bodyOf(const sip_t& sip);

// By what we recognise our own hops.
struct OwnHops {
  std::vector<HostPort> addresses;  // advertised ones
  std::string marker;
};
[[nodiscard]] RequestIn parseRequest(const sip_t& sip, const Source& source, const OwnHops& own);
[[nodiscard]] ResponseIn parseResponse(const sip_t& sip, Method method, std::uint32_t cseq);

// Next hop of a Route or Contact URI, empty address when it is not an IP literal.
[[nodiscard]] HostPort hopOf(const url_t& url);

}  // namespace tollgate::sofia
