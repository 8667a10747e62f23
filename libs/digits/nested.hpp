// What the CIDR trie and the prefix trie have in common. Networks, and digit prefixes, are intervals of which any two are nested or apart.
// Sorted by start, outer before inner, the members that cover a point are found from the last member that starts at or before it: that
// member or its parents, innermost first. Flat arrays instead of nodes: one binary search, then a walk no longer than the nesting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tollgate::digits {

inline constexpr std::uint32_t kNoParent = UINT32_MAX;

// For each of the `count` sorted members the nearest earlier one that covers it. covers(outer, inner) by position; equal members cover
// each other, so that of several equal ones the last is the innermost.
template <class Covers>
[[nodiscard]] std::vector<std::uint32_t> parentsOfSorted(std::size_t count, Covers covers) {
  std::vector<std::uint32_t> parents(count, kNoParent);
  for (std::size_t at = 1; at < count; ++at) {
    auto parent = static_cast<std::uint32_t>(at - 1);
    while (parent != kNoParent && !covers(parent, at)) {
      parent = parents[parent];
    }
    parents[at] = parent;
  }
  return parents;
}

}  // namespace tollgate::digits
