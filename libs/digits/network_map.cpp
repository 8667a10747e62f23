#include "libs/digits/network_map.hpp"

namespace tollgate::digits {
namespace {

// The network of which both are a half, when there is one other than /0.
bool areHalvesOf(const Network& left, const Network& right, Network& whole) {
  if (left.length() != right.length() || left.isV4() != right.isV4() || left.length() <= 1) {
    return false;
  }
  whole = Network::around(left.address(), left.length() - 1);
  return left.address() != right.address() && whole.contains(right);
}

}  // namespace

NetworkSet makeNetworkSet(const std::vector<Network>& networks) {
  std::vector<NetworkSet::Entry> entries;
  entries.reserve(networks.size());
  for (const auto& network : networks) {
    entries.emplace_back(network, std::monostate{});
  }
  return NetworkSet(std::move(entries));
}

std::vector<Network> aggregate(std::vector<Network> networks) {
  std::sort(networks.begin(), networks.end());
  std::vector<Network> out;
  for (const auto& network : networks) {
    if (!out.empty() && out.back().contains(network)) {
      continue;
    }
    out.push_back(network);
    // A joined network may be the other half of the one before it.
    Network whole;
    while (out.size() > 1 && areHalvesOf(out[out.size() - 2], out.back(), whole)) {
      out.pop_back();
      out.back() = whole;
    }
  }
  return out;
}

}  // namespace tollgate::digits
