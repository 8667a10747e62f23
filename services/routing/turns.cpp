#include "services/routing/turns.hpp"

#include <algorithm>

#include "libs/base/assert.hpp"

namespace tollgate::routing {

std::uint64_t Turns::next(bool dry_run) {
  const std::lock_guard lock(mutex_);
  return dry_run ? turn_ : turn_++;
}

std::size_t Turns::pick(std::span<const Share> shares, bool dry_run) {
  TG_ASSERT(!shares.empty());
  const std::lock_guard lock(mutex_);
  const bool same = std::equal(shares.begin(), shares.end(), shares_.begin(), shares_.end());
  std::vector<std::int64_t> credits = same ? credits_ : std::vector<std::int64_t>(shares.size(), 0);
  const bool none = std::all_of(shares.begin(), shares.end(), [](const Share& share) { return share.weight == 0; });
  std::int64_t sum = 0;
  for (std::size_t at = 0; at < shares.size(); ++at) {
    const std::int64_t weight = none ? 1 : shares[at].weight;
    credits[at] += weight;
    sum += weight;
  }
  std::size_t best = shares.size();
  for (std::size_t at = 0; at < shares.size(); ++at) {
    const bool takes_part = none || shares[at].weight > 0;
    if (takes_part && (best == shares.size() || credits[at] > credits[best])) {
      best = at;
    }
  }
  if (!dry_run) {
    credits[best] -= sum;
    credits_ = std::move(credits);
    if (!same) {
      shares_.assign(shares.begin(), shares.end());
    }
  }
  return best;
}

}  // namespace tollgate::routing
