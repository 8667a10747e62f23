// The list of networks from which the ingress accepts SIP at all. It is as short as it can be without covering more addresses, and it fits
// into one message of the bus. Immutable once made, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libs/digits/ip.hpp"

namespace tollgate::auth {

struct NetworkList {
  // A hash of the content: equal lists have the same version on every replica, whatever changes led to them. Never 0.
  std::uint64_t version = 0;
  std::vector<digits::Network> networks;
  // The exact list was too long, so networks were widened until it fitted. That is safe: the list only keeps unknown sources off the bus,
  // and a call from an address that only the wider network covers is still checked against the source rows.
  bool widened = false;
};

// bytes_max: the largest encoded size.
[[nodiscard]] NetworkList makeNetworkList(std::vector<digits::Network> networks, std::size_t bytes_max);

}  // namespace tollgate::auth
