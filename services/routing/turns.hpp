// Whose turn it is among the targets of one rule: round-robin among equals, and exact shares by smooth weighted round-robin (REQUIREMENTS
// 3.6). A change of the configuration does not restart the turns. Each replica of routing counts its own turns; shares that hold for each
// replica hold for all of them.
//
// Thread: any; the lock is held for a few additions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "libs/base/ids.hpp"

namespace tollgate::routing {

struct Share {
  base::TrunkId trunk;
  std::uint32_t weight = 0;
  friend bool operator==(const Share&, const Share&) = default;
};

class Turns {
 public:
  // Rises by one with each call; with `dry_run` it stays.
  [[nodiscard]] std::uint64_t next(bool dry_run);
  // The position in `shares` whose turn it is: of as many calls in a row as the weights add up to, each position gets as many as its
  // weight. Different shares than last time start again. Weight 0 gets no call, unless all weights are 0: then all are equal.
  // Requires: `shares` is not empty.
  [[nodiscard]] std::size_t pick(std::span<const Share> shares, bool dry_run);

 private:
  // Derived.
  std::mutex mutex_;
  std::uint64_t turn_ = 0;
  std::vector<Share> shares_;
  std::vector<std::int64_t> credits_;  // of shares_, same positions
};

}  // namespace tollgate::routing
