// Which of many IPv4 and IPv6 networks cover an address, most specific first. Built once, then immutable: any number of threads may look
// up together. A lookup is well below 1 us with 100,000 networks (ARCHITECTURE "Budgets"). Stored flat, see nested.hpp.
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
  // In any order (sorted input builds in linear time); equal networks may appear more than once and are all visited.
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

  // The value of the most specific network that covers the address; nullptr = none.
  [[nodiscard]] const Value* longest(const IpAddress& address) const {
    const std::uint32_t at = innermost(address);
    return at == kNoParent ? nullptr : &entries_[at].second;
  }

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

  std::vector<AddressBits> starts_;  // of entries_, apart so that the search stays in cache
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> parents_;
};

// Only whether an address is covered: the ingress's list of those who may speak at all.
using CidrSet = NetworkMap<std::monostate>;
[[nodiscard]] CidrSet makeCidrSet(const std::vector<Network>& networks);

// The same addresses in as few networks as possible: covered ones dropped, halves of one network joined. Sorted.
// No joining reaches /0.
[[nodiscard]] std::vector<Network> aggregate(std::vector<Network> networks);

}  // namespace tollgate::digits
