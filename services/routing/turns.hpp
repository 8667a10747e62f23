// Whose turn it is among the targets of one rule: round-robin among equals and exact shares by smooth weighted round-robin (REQUIREMENTS
// 3.6). The turns go on over changes of the configuration. Each replica of routing turns by itself: shares hold for each, and so for all.
// Any thread; the lock is held for a handful of additions.
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
  // Rises by one with each call; `dry_run` reads it and moves nothing.
  [[nodiscard]] std::uint64_t next(bool dry_run);
  // The position whose turn it is by weight: in any stretch of as many calls as the weights add up to, each gets its weight of them.
  // Starts afresh when the shares differ from the last time. Weight 0 never has its turn, unless all are 0: then they are equal.
  [[nodiscard]] std::size_t pick(std::span<const Share> shares, bool dry_run);

 private:
  // Derived.
  std::mutex mutex_;
  std::uint64_t turn_ = 0;
  std::vector<Share> shares_;
  std::vector<std::int64_t> credits_;  // of shares_, same order
};

}  // namespace tollgate::routing
