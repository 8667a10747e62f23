#include "services/auth/networks.hpp"

#include <algorithm>

#include "libs/digits/network_map.hpp"

namespace tollgate::auth {
namespace {

// The encoding: a network is a message with one string field, and itself a field of the reply.
constexpr std::size_t kTagsAndLengths = 4;

struct Step {
  int v4_length_max;
  int v6_length_max;
};

// How far networks are widened, step by step, when the list is too long. /8 for all of IPv4 is 256 networks.
constexpr Step kSteps[] = {{32, 64}, {30, 56}, {28, 48}, {24, 40}, {20, 32}, {16, 24}, {12, 16}, {8, 8}};

constexpr std::size_t kTextMax = 43;  // of an IPv6 network

bool fits(const std::vector<digits::Network>& networks, std::size_t bytes_max) {
  if (networks.size() * (kTextMax + kTagsAndLengths) <= bytes_max) {
    return true;
  }
  std::size_t bytes = 0;
  for (const auto& network : networks) {
    bytes += network.text().size() + kTagsAndLengths;
  }
  return bytes <= bytes_max;
}

std::vector<digits::Network> widen(std::vector<digits::Network> networks, const Step& step) {
  for (auto& network : networks) {
    network =
        digits::Network::around(network.address(), std::min(network.length(), network.isV4() ? step.v4_length_max : step.v6_length_max));
  }
  return digits::aggregate(std::move(networks));
}

// FNV-1a over the sorted networks.
std::uint64_t contentVersion(const std::vector<digits::Network>& networks) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&hash](std::uint64_t word) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      hash = (hash ^ (word >> shift & 0xffU)) * 0x100000001b3ULL;
    }
  };
  for (const auto& network : networks) {
    mix(network.address().bits().high);
    mix(network.address().bits().low);
    mix(static_cast<std::uint64_t>(network.length()));
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace

NetworkList makeNetworkList(std::vector<digits::Network> networks, std::size_t bytes_max) {
  NetworkList list;
  list.networks = digits::aggregate(std::move(networks));
  for (const Step& step : kSteps) {
    if (fits(list.networks, bytes_max)) {
      break;
    }
    list.networks = widen(std::move(list.networks), step);
    list.widened = true;
  }
  list.version = contentVersion(list.networks);
  return list;
}

}  // namespace tollgate::auth
