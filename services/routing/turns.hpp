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
  // A number that increases by one with each call. With `dry_run` it is not increased.
  [[nodiscard]] std::uint64_t next(bool dry_run);
  // The position in `shares` whose turn it is. In a row of as many calls as the sum of the weights, each position gets as many calls as its
  // weight. When `shares` differs from the last time, the row starts again. Weight 0 gets no call, unless all weights are 0: then all are
  // equal. Requires: `shares` is not empty.
  [[nodiscard]] std::size_t pick(std::span<const Share> shares, bool dry_run);

 private:
  // Derived.
  std::mutex mutex_;
  std::uint64_t turn_ = 0;
  std::vector<Share> shares_;
  std::vector<std::int64_t> credits_;  // of shares_, same positions
};

}  // namespace tollgate::routing
