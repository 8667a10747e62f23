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

constexpr std::size_t kFieldBytesMax = 1024;  // of a header copied as text; longer ones are left out
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

Uri uriOf(const url_t& url) {
  Uri uri;
  uri.scheme = textOf(url.url_scheme);
  uri.user = unescaped(url.url_user);
  uri.host = hostText(url.url_host);
  uri.port = portOf(url.url_port);
  uri.params = textOf(url.url_params);
  if (url.url_type == url_tel && uri.user.empty()) {
    std::swap(uri.user, uri.host);
  }
  return uri;
}

std::string uriText(const url_t& url) {
  std::array<char, kFieldBytesMax> buffer{};
  const issize_t length = url_e(buffer.data(), static_cast<isize_t>(buffer.size()), &url);
  if (length <= 0 || static_cast<std::size_t>(length) >= buffer.size()) {
    return {};
  }
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::string displayOf(const char* display) {
  std::string text = textOf(display);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    return text;
  }
  std::string result;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) {
      ++i;
    }
    result += text[i];
  }
  return result;
}

Party partyOf(const sip_addr_t* address) {
  Party party;
  if (address != nullptr) {
    party.display = displayOf(address->a_display);
    party.uri = uriOf(*address->a_url);
    party.tag = textOf(address->a_tag);
  }
  return party;
}

// Only our own encoder's view of the field; sip_header_as_string cuts long ones (libs/sofia/TRAPS.md 1.2).
void addKnown(Headers& headers, const char* name, const void* header) {
  if (header == nullptr) {
    return;
  }
  std::array<char, kFieldBytesMax> buffer{};
  const issize_t length =
      msg_header_field_e(buffer.data(), static_cast<isize_t>(buffer.size()), static_cast<const msg_header_t*>(header), 0);
  if (length > 0 && static_cast<std::size_t>(length) < buffer.size()) {
    headers.push_back({name, std::string(buffer.data(), static_cast<std::size_t>(length))});
  }
}

void addUnknown(Headers& headers, const sip_t& sip) {
  constexpr std::array kWanted = {"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Privacy"};
  std::size_t looked_at = 0;
  for (const sip_unknown_t* header = sip.sip_unknown; header != nullptr && looked_at < 256; header = header->un_next, ++looked_at) {
    if (header->un_name == nullptr || header->un_value == nullptr) {
      continue;
    }
    for (const char* name : kWanted) {
      if (::strcasecmp(header->un_name, name) == 0 && std::strlen(header->un_value) < kFieldBytesMax) {
        headers.push_back({name, header->un_value});
      }
    }
  }
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

int ownHops(const sip_t& sip, const OwnHops& own) {
  int hops = 0;
  std::size_t looked_at = 0;
  const sip_via_t* via = sip.sip_via == nullptr ? nullptr : sip.sip_via->v_next;
  for (; via != nullptr && looked_at < kViasMax; via = via->v_next, ++looked_at) {
    const std::string host = hostText(via->v_host);
    const std::uint16_t port = via->v_port == nullptr ? std::uint16_t{5060} : portOf(via->v_port);
    hops += static_cast<int>(std::any_of(own.addresses.begin(), own.addresses.end(),
                                         [&](const HostPort& mine) { return mine.address == host && mine.port == port; }));
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

std::string contactOf(const sip_t& sip) {
  if (sip.sip_contact == nullptr || sip.sip_contact->m_url[0].url_type == url_any) {
    return {};
  }
  return uriText(*sip.sip_contact->m_url);
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
    case sip_method_register:
      return Method::kRegister;
    case sip_method_info:
      return Method::kInfo;
    case sip_method_prack:
      return Method::kPrack;
    case sip_method_update:
      return Method::kUpdate;
    case sip_method_message:
      return Method::kMessage;
    case sip_method_subscribe:
      return Method::kSubscribe;
    case sip_method_notify:
      return Method::kNotify;
    case sip_method_refer:
      return Method::kRefer;
    case sip_method_publish:
      return Method::kPublish;
    default:
      return Method::kUnknown;
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

RequestIn parseRequest(const sip_t& sip, const Source& source, const OwnHops& own) {
  RequestIn request;
  request.source = source;
  request.method = methodOf(sip.sip_request->rq_method);
  request.method_name = textOf(sip.sip_request->rq_method_name);
  request.call_id = textOf(sip.sip_call_id->i_id);
  request.cseq = sip.sip_cseq->cs_seq;
  request.request_uri = uriOf(*sip.sip_request->rq_url);
  request.from = partyOf(sip.sip_from);
  request.to = partyOf(sip.sip_to);
  request.contact = contactOf(sip);
  if (sip.sip_max_forwards != nullptr) {
    request.max_forwards = static_cast<int>(std::min<unsigned long>(sip.sip_max_forwards->mf_count, 255));
  }
  request.own_hops = ownHops(sip, own);
  request.supported = tagsOf(sip.sip_supported);
  request.require = tagsOf(sip.sip_require);
  addKnown(request.headers, "Reason", sip.sip_reason);
  addKnown(request.headers, "Privacy", sip.sip_privacy);
  addKnown(request.headers, "Session-Expires", sip.sip_session_expires);
  addKnown(request.headers, "Min-SE", sip.sip_min_se);
  addKnown(request.headers, "User-Agent", sip.sip_user_agent);
  addUnknown(request.headers, sip);
  request.body = bodyOf(sip);
  return request;
}

ResponseIn parseResponse(const sip_t& sip, Method method, std::uint32_t cseq) {
  ResponseIn response;
  response.method = method;
  response.cseq = cseq;
  response.status = sip.sip_status->st_status;
  response.phrase = textOf(sip.sip_status->st_phrase);
  if (nta_sip_is_internal(const_cast<sip_t*>(&sip)) != 0) {
    response.origin = response.status == 408 ? Origin::kTimeout : Origin::kTransport;
  }
  if (sip.sip_to != nullptr) {
    response.to_tag = textOf(sip.sip_to->a_tag);
  }
  response.contact = contactOf(sip);
  if (sip.sip_rseq != nullptr) {
    response.rseq = static_cast<std::uint32_t>(sip.sip_rseq->rs_response);
  }
  response.require = tagsOf(sip.sip_require);
  addKnown(response.headers, "Reason", sip.sip_reason);
  addKnown(response.headers, "Retry-After", sip.sip_retry_after);
  addKnown(response.headers, "Warning", sip.sip_warning);
  addKnown(response.headers, "Session-Expires", sip.sip_session_expires);
  addKnown(response.headers, "Server", sip.sip_server);
  addUnknown(response.headers, sip);
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
