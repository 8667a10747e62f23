// The list of networks from which SIP is accepted at all, as the ingress gets it: as short as it can be without covering more, and within
// the size of a bus message. Immutable once made, any thread.
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
  // The exact list was too long, and networks were widened until it fitted. That is safe: this list only keeps unknown sources off the bus,
  // and a call from an address that it covers without need is checked against the source rows.
  bool widened = false;
};

// bytes_max: the largest encoded size.
[[nodiscard]] NetworkList makeNetworkList(std::vector<digits::Network> networks, std::size_t bytes_max);

}  // namespace tollgate::auth
