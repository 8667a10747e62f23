// Which of many IPv4 and IPv6 networks cover an address, most specific first. A lookup takes well below 1 us with 100,000 networks
// (ARCHITECTURE "Budgets"). See nested.hpp for the structure.
//
// Thread: built on one thread, then immutable: any number of threads look up at the same time. It owns its values.
#pragma once

#include <algorithm>
#include <concepts>
#include <utility>
#include <variant>
#include <vector>

#include "libs/digits/ip.hpp"
#include "libs/digits/nested.hpp"

namespace tollgate::digits {

template <class Value>
class NetworkMap {
 public:
  using Entry = std::pair<Network, Value>;

  NetworkMap() = default;
  // In any order; sorted entries build in linear time. Equal networks may appear more than once; all of them are visited.
  explicit NetworkMap(std::vector<Entry> entries) {
    const auto before = [](const Entry& left, const Entry& right) { return left.first < right.first; };
    if (!std::is_sorted(entries.begin(), entries.end(), before)) {
      std::stable_sort(entries.begin(), entries.end(), before);
    }
    starts_.reserve(entries.size());
    entries_ = std::move(entries);
    for (const auto& entry : entries_) {
      starts_.push_back(entry.first.address().bits());
    }
    parents_ = parentsOfSorted(entries_.size(),
                               [this](std::size_t outer, std::size_t inner) { return entries_[outer].first.spans(entries_[inner].first); });
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool matches(const IpAddress& address) const { return innermost(address) != kNoParent; }

  // visit(network, value) for every network that covers the address, most specific first, until it returns false.
  template <std::predicate<const Network&, const Value&> Visit>
  void visit(const IpAddress& address, Visit visit) const {
    for (std::uint32_t at = innermost(address); at != kNoParent; at = parents_[at]) {
      const auto& [network, value] = entries_[at];
      if (network.contains(address) && !visit(network, value)) {
        return;
      }
    }
  }

 private:
  [[nodiscard]] std::uint32_t innermost(const IpAddress& address) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), address.bits());
    auto at = after == starts_.begin() ? kNoParent : static_cast<std::uint32_t>(after - starts_.begin() - 1);
    while (at != kNoParent && !entries_[at].first.contains(address)) {
      at = parents_[at];
    }
    return at;
  }

  std::vector<AddressBits> starts_;  // of entries_; apart from them so that the search stays in cache
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> parents_;
};

// Tells only whether an address is covered. The ingress's list of known sources is one (REQUIREMENTS 2.4).
using NetworkSet = NetworkMap<std::monostate>;
[[nodiscard]] NetworkSet makeNetworkSet(const std::vector<Network>& networks);

// The same addresses in as few networks as possible, sorted: networks inside others are dropped, and two halves of a network are joined,
// but never to /0.
[[nodiscard]] std::vector<Network> aggregate(std::vector<Network> networks);

}  // namespace tollgate::digits
