#include "libs/sofia/compose.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <arpa/inet.h>

namespace tollgate::sofia {
namespace {

constexpr std::size_t kHeadersMax = 100;
constexpr std::size_t kHeaderBytesMax = 8192;
constexpr std::size_t kBodyBytesMax = 49152;

bool isTokenChar(unsigned char c) {
  return std::isalnum(c) != 0 || std::string_view("-.!%*_+`'~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool isControl(unsigned char c) {
  return (c < 0x20 && c != '\t') || c == 0x7f;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// The stack or the Agent writes these headers. A second one would confuse the other side, or show it what we hide.
bool isOurs(std::string_view name) {
  constexpr std::array kNames = {"via",
                                 "v",
                                 "from",
                                 "f",
                                 "to",
                                 "t",
                                 "call-id",
                                 "i",
                                 "cseq",
                                 "contact",
                                 "m",
                                 "max-forwards",
                                 "route",
                                 "record-route",
                                 "content-length",
                                 "l",
                                 "content-type",
                                 "c"};
  const std::string wanted = lower(name);
  return std::find(kNames.begin(), kNames.end(), wanted) != kNames.end();
}

}  // namespace

IpFamily ipFamily(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN) {
    return IpFamily::kNone;
  }
  const std::string copy(text);
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET, copy.c_str(), bytes.data()) == 1) {
    return IpFamily::kIpv4;
  }
  return ::inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1 ? IpFamily::kIpv6 : IpFamily::kNone;
}

std::string uriHost(std::string_view address) {
  return ipFamily(address) == IpFamily::kIpv6 ? "[" + std::string(address) + "]" : std::string(address);
}

base::Result<std::string> routeUri(const HostPort& hop) {
  if (ipFamily(hop.address) == IpFamily::kNone) {
    return base::fail(base::ErrorCode::kInvalid, "the next hop must be an IP address, not '" + hop.address.substr(0, 64) + "'");
  }
  if (hop.port == 0) {
    return base::fail(base::ErrorCode::kInvalid, "the next hop has port 0");
  }
  return "sip:" + uriHost(hop.address) + ":" + std::to_string(hop.port) + ";transport=udp";
}

std::string escapeUser(std::string_view user) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-_.!~*'()&=+$,;?/";
  std::string result;
  result.reserve(user.size());
  for (const char c : user) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte) != 0) || kPlain.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += '%';
      result += kHex[byte >> 4U];
      result += kHex[byte & 0x0fU];
    }
  }
  return result;
}

base::Result<void> checkUriParams(std::string_view params) {
  while (!params.empty()) {
    const std::size_t end = std::min(params.find(';'), params.size());
    const std::string_view param = params.substr(0, end);
    const std::string name = lower(param.substr(0, param.find('=')));
    const bool is_clean = std::all_of(param.begin(), param.end(), [](char c) {
      return isTokenChar(static_cast<unsigned char>(c)) || c == '=' || c == '/' || c == ':' || c == '[' || c == ']' || c == '&' || c == '$';
    });
    if (name.empty() || !is_clean || name == "transport" || name == "maddr" || name == "method" || name == "ttl" || name == "lr") {
      return base::fail(base::ErrorCode::kInvalid, "not a usable Request-URI parameter: '" + std::string(param.substr(0, 64)) + "'");
    }
    params.remove_prefix(std::min(end + 1, params.size()));
  }
  return {};
}

base::Result<std::string> headerLines(const Headers& headers) {
  if (headers.size() > kHeadersMax) {
    return base::fail(base::ErrorCode::kInvalid, "too many headers");
  }
  std::string lines;
  for (const Header& header : headers) {
    const bool is_token = !header.name.empty() && std::all_of(header.name.begin(), header.name.end(),
                                                              [](char c) { return isTokenChar(static_cast<unsigned char>(c)); });
    if (!is_token || isOurs(header.name)) {
      return base::fail(base::ErrorCode::kInvalid, "not a header that can be added: '" + header.name.substr(0, 64) + "'");
    }
    if (std::any_of(header.value.begin(), header.value.end(), [](char c) { return isControl(static_cast<unsigned char>(c)); })) {
      return base::fail(base::ErrorCode::kInvalid, "control character in the header " + header.name.substr(0, 64));
    }
    lines += header.name;
    lines += ": ";
    lines += header.value;
    lines += "\r\n";
  }
  if (lines.size() > kHeaderBytesMax) {
    return base::fail(base::ErrorCode::kInvalid, "headers of more than 8 kB");
  }
  return lines;
}

base::Result<void> checkBody(const Body& body) {
  if (body.text.size() > kBodyBytesMax) {
    return base::fail(base::ErrorCode::kOverLimit, "the body does not fit a datagram");
  }
  if (body.text.find('\0') != std::string::npos) {
    return base::fail(base::ErrorCode::kInvalid, "NUL in the body");
  }
  const bool is_clean = std::none_of(body.type.begin(), body.type.end(), [](char c) { return isControl(static_cast<unsigned char>(c)); });
  if (!body.text.empty() && (!is_clean || body.type.find('/') == std::string::npos)) {
    return base::fail(base::ErrorCode::kInvalid, "a body needs a content type");
  }
  return {};
}

}  // namespace tollgate::sofia
