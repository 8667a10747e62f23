#include "services/routing/order.hpp"

#include <algorithm>

namespace tollgate::routing {
namespace {

void byPriority(const Rule& rule, std::vector<UsableTarget>& usable, bool dry_run) {
  std::stable_sort(usable.begin(), usable.end(),
                   [](const UsableTarget& left, const UsableTarget& right) { return left.target.priority < right.target.priority; });
  const std::uint64_t turn = rule.turns->next(dry_run);
  for (auto first = usable.begin(); first != usable.end();) {
    const auto last =
        std::find_if(first, usable.end(), [first](const UsableTarget& other) { return other.target.priority != first->target.priority; });
    const auto count = static_cast<std::uint64_t>(last - first);
    std::rotate(first, first + static_cast<std::ptrdiff_t>(turn % count), last);
    first = last;
  }
}

void byWeight(std::vector<UsableTarget>::iterator first, std::vector<UsableTarget>::iterator last) {
  std::stable_sort(first, last,
                   [](const UsableTarget& left, const UsableTarget& right) { return left.target.weight > right.target.weight; });
}

void byShare(const Rule& rule, std::vector<UsableTarget>& usable, bool dry_run) {
  std::vector<Share> shares;
  shares.reserve(usable.size());
  for (const auto& one : usable) {
    shares.push_back({one.target.trunk, one.target.weight});
  }
  const auto chosen = usable.begin() + static_cast<std::ptrdiff_t>(rule.turns->pick(shares, dry_run));
  std::rotate(usable.begin(), chosen, chosen + 1);
  byWeight(usable.begin() + 1, usable.end());
}

}  // namespace

void orderTargets(const Rule& rule, std::vector<UsableTarget>& usable, bool dry_run) {
  if (usable.empty()) {
    return;
  }
  switch (rule.mode) {
    case Mode::kPriority:
      return byPriority(rule, usable, dry_run);
    case Mode::kWeight:
      return byWeight(usable.begin(), usable.end());
    case Mode::kPercent:
      return byShare(rule, usable, dry_run);
    case Mode::kUnsupported:
      break;
  }
}

}  // namespace tollgate::routing
