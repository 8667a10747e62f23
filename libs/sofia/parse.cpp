#include "libs/sofia/parse.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>

#include <strings.h>

#include "libs/base/limits.hpp"
#include "libs/sofia/compose.hpp"

namespace tollgate::sofia {
namespace {

// Bounds the work that one message can cause: a message of 64 kB may hold thousands of these.
constexpr std::size_t kViasMax = 70;
constexpr std::size_t kTagsMax = 32;

std::string textOf(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

std::string unescaped(const char* text) {
  if (text == nullptr) {
    return {};
  }
  std::string result(std::strlen(text), '\0');
  result.resize(url_unescape_to(result.data(), text, result.size()));
  return result;
}

std::uint16_t portOf(const char* text) {
  std::uint16_t port = 0;
  if (text != nullptr) {
    const char* end = text + std::strlen(text);
    const auto parsed = std::from_chars(text, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      port = 0;
    }
  }
  return port;
}

std::string hostText(const char* host) {
  std::string text = textOf(host);
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

// A tel URI has no user part: nta's parser leaves the number where the host of a SIP URI is.
std::string userOf(const url_t& url) {
  std::string user = unescaped(url.url_user);
  return url.url_type == url_tel && user.empty() ? hostText(url.url_host) : user;
}

std::vector<std::string> tagsOf(const msg_list_t* list) {
  std::vector<std::string> tags;
  for (; list != nullptr; list = list->k_next) {
    for (msg_param_t const* item = list->k_items; item != nullptr && *item != nullptr && tags.size() < kTagsMax; ++item) {
      tags.emplace_back(*item);
    }
  }
  return tags;
}

// The first Via is the sender's own; the following ones name the hops before it.
int ownHops(const sip_t& sip, const OwnHops& own) {
  int hops = 0;
  std::size_t seen = 0;
  const sip_via_t* via = sip.sip_via == nullptr ? nullptr : sip.sip_via->v_next;
  for (; via != nullptr && seen < kViasMax; via = via->v_next, ++seen) {
    const std::string host = hostText(via->v_host);
    const std::uint16_t port = via->v_port == nullptr ? std::uint16_t{5060} : portOf(via->v_port);
    hops += static_cast<int>(std::any_of(own.addresses.begin(), own.addresses.end(),
                                         [&](const HostPort& mine) { return mine.port == port && mine.address == host; }));
  }
  if (own.marker.empty()) {
    return hops;
  }
  for (const sip_unknown_t* header = sip.sip_unknown; header != nullptr; header = header->un_next) {
    if (header->un_name != nullptr && header->un_value != nullptr && ::strcasecmp(header->un_name, kHopMarkerHeader.data()) == 0 &&
        own.marker == header->un_value) {
      ++hops;
    }
  }
  return hops;
}

}  // namespace

Method methodOf(sip_method_t method) noexcept {
  switch (method) {
    case sip_method_invite:
      return Method::kInvite;
    case sip_method_ack:
      return Method::kAck;
    case sip_method_cancel:
      return Method::kCancel;
    case sip_method_bye:
      return Method::kBye;
    case sip_method_options:
      return Method::kOptions;
    case sip_method_info:
      return Method::kInfo;
    case sip_method_update:
      return Method::kUpdate;
    case sip_method_refer:
      return Method::kRefer;
    default:
      return Method::kOther;
  }
}

Source sourceOf(const su_sockaddr_t* address, std::size_t listener) noexcept {
  Source source;
  source.listener = listener;
  if (address == nullptr) {
    return source;
  }
  source.port = ntohs(address->su_port);
  if (address->su_family == AF_INET6) {
    // A socket of both families shows IPv4 peers as ::ffff:a.b.c.d; the authorised networks are written as a.b.c.d.
    constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const std::uint8_t* bytes = address->su_sin6.sin6_addr.s6_addr;
    if (std::equal(kMapped.begin(), kMapped.end(), bytes)) {
      std::copy_n(bytes + 12, 4, source.address.begin());
    } else {
      source.is_ipv6 = true;
      std::copy_n(bytes, 16, source.address.begin());
    }
  } else {
    std::memcpy(source.address.data(), &address->su_sin.sin_addr, 4);
  }
  return source;
}

Body bodyOf(const sip_t& sip) {
  Body body;
  if (sip.sip_payload == nullptr || sip.sip_payload->pl_data == nullptr || sip.sip_payload->pl_len == 0) {
    return body;
  }
  if (sip.sip_content_type != nullptr && sip.sip_content_type->c_type != nullptr) {
    body.type = sip.sip_content_type->c_type;
    std::transform(body.type.begin(), body.type.end(), body.type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  body.text.assign(sip.sip_payload->pl_data, std::min<std::size_t>(sip.sip_payload->pl_len, base::limits::kSipMessageBytesMax));
  return body;
}

InviteIn parseInvite(const sip_t& sip, const Source& source, const OwnHops& own) {
  const url_t& target = *sip.sip_request->rq_url;
  InviteIn invite;
  invite.source = source;
  invite.call_id = textOf(sip.sip_call_id->i_id);
  invite.scheme = textOf(target.url_scheme);
  invite.called_user = userOf(target);
  invite.caller_user = userOf(*sip.sip_from->a_url);
  if (sip.sip_max_forwards != nullptr) {
    invite.max_forwards = static_cast<int>(std::min<unsigned long>(sip.sip_max_forwards->mf_count, 255));
  }
  invite.own_hops = ownHops(sip, own);
  invite.require = tagsOf(sip.sip_require);
  invite.body = bodyOf(sip);
  return invite;
}

ResponseIn parseResponse(const sip_t& sip) {
  ResponseIn response;
  response.status = sip.sip_status->st_status;
  if (nta_sip_is_internal(const_cast<sip_t*>(&sip)) != 0) {
    response.origin = response.status == 408 ? Origin::kTimeout : Origin::kTransport;
  }
  response.body = bodyOf(sip);
  return response;
}

HostPort hopOf(const url_t& url) {
  HostPort hop{hostText(url.url_host), portOf(url.url_port)};
  const bool is_sip = url.url_type == url_sip || url.url_type == url_sips;
  if (!is_sip || ipFamily(hop.address) == IpFamily::kNone || (url.url_port != nullptr && hop.port == 0)) {
    return {"", 0};
  }
  if (hop.port == 0) {
    hop.port = 5060;
  }
  return hop;
}

}  // namespace tollgate::sofia
