// What NetworkMap and PrefixMap have in common. Networks are intervals of addresses, and prefixes are intervals of numbers; of two such
// intervals one contains the other, or they have nothing in common. In an array sorted by start, outer before inner, the members that
// contain a point are found from the last member that starts at or before it: they are that member and its parents, innermost first.
// So a lookup is one binary search and a walk no longer than the nesting, in flat arrays that are smaller than a tree of nodes.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tollgate::digits {

inline constexpr std::uint32_t kNoParent = UINT32_MAX;

// For each of `count` sorted members the position of the nearest earlier member that contains it, or kNoParent.
// covers(outer, inner) compares two positions. Equal members cover each other, so the last of several equal ones is the innermost.
// Requires: fewer than 2^32 - 1 members.
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
