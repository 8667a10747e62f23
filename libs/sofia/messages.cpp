#include "libs/sofia/messages.hpp"

#include <algorithm>
#include <cctype>

#include <arpa/inet.h>

namespace tollgate::sofia {
namespace {

bool isSameNoCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view methodName(Method method) noexcept {
  switch (method) {
    case Method::kUnknown:
      return "";
    case Method::kInvite:
      return "INVITE";
    case Method::kAck:
      return "ACK";
    case Method::kCancel:
      return "CANCEL";
    case Method::kBye:
      return "BYE";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kRegister:
      return "REGISTER";
    case Method::kInfo:
      return "INFO";
    case Method::kPrack:
      return "PRACK";
    case Method::kUpdate:
      return "UPDATE";
    case Method::kMessage:
      return "MESSAGE";
    case Method::kSubscribe:
      return "SUBSCRIBE";
    case Method::kNotify:
      return "NOTIFY";
    case Method::kRefer:
      return "REFER";
    case Method::kPublish:
      return "PUBLISH";
  }
  return "";
}

std::string Source::addressText() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address.data(), text.data(), static_cast<socklen_t>(text.size())) == nullptr) {
    return {};
  }
  return text.data();
}

std::string_view findHeader(const Headers& headers, std::string_view name) noexcept {
  for (const Header& header : headers) {
    if (isSameNoCase(header.name, name)) {
      return header.value;
    }
  }
  return {};
}

}  // namespace tollgate::sofia
