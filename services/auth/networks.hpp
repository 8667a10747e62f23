// The list of networks that may speak SIP at all, as the ingress gets it: joined as far as that loses nothing, and kept below the size of
// a bus message. Immutable once made, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libs/digits/ip.hpp"

namespace tollgate::auth {

struct NetworkList {
  // A number that stands for the content: equal lists have equal versions on every replica, whichever changes led there. Never 0.
  std::uint64_t version = 0;
  std::vector<digits::Network> networks;
  // The exact list did not fit, and near networks were widened until it did. Safe: this list only keeps unknown sources off the bus, and
  // who gets past it is checked by the exact rows.
  bool widened = false;
};

// bytes_max: of the encoded list.
[[nodiscard]] NetworkList makeNetworkList(std::vector<digits::Network> networks, std::size_t bytes_max);

}  // namespace tollgate::auth
