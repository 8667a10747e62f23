#include "libs/sofia/messages.hpp"

#include <arpa/inet.h>

namespace tollgate::sofia {

std::string Source::addressText() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address.data(), text.data(), static_cast<socklen_t>(text.size())) == nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace tollgate::sofia
