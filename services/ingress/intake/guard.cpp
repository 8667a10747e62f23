#include "services/ingress/intake/guard.hpp"

#include <cstring>

namespace tollgate::ingress {
namespace {

digits::IpAddress addressOf(const sofia::Source& source) {
  if (source.is_ipv6) {
    return digits::IpAddress::fromV6(source.address);
  }
  std::uint32_t host_order = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    host_order = (host_order << 8U) | source.address[i];
  }
  return digits::IpAddress::fromV4(host_order);
}

}  // namespace

Verdict Guard::check(const sofia::Source& source, base::MonotonicTime now, const base::Clock& clock) {
  if (!networks_) {
    return Verdict::kNoNetworksYet;
  }
  const auto address = addressOf(source);
  if (networks_->matches(address)) {
    return Verdict::kKnown;
  }
  const Address key{address.bits()};
  if (const auto found = seen_.find(key); found != seen_.end()) {
    count(found->second, clock);
  } else if (seen_.size() < options_.addresses_max) {
    count(seen_[key], clock);
  } else {
    count(others_, clock);
  }
  return options_.drop || !mayAnswer(now) ? Verdict::kDrop : Verdict::kRefuse;
}

void Guard::count(Seen& seen, const base::Clock& clock) {
  seen.last_at = clock.wall();
  if (seen.messages++ == 0) {
    seen.first_at = seen.last_at;
  }
}

// A flood with a forged source address must not make us flood the owner of that address.
bool Guard::mayAnswer(base::MonotonicTime now) {
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    answered_ = 0;
  }
  return answered_++ < options_.answers_per_second;
}

std::vector<UnknownSourceCount> Guard::takeSummary() {
  std::vector<UnknownSourceCount> summary;
  summary.reserve(seen_.size() + 1);
  for (const auto& [address, seen] : seen_) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<std::uint8_t>(address.bits.high >> (56U - 8U * i));
      bytes[8 + i] = static_cast<std::uint8_t>(address.bits.low >> (56U - 8U * i));
    }
    summary.push_back({digits::IpAddress::fromV6(bytes).text(), seen.messages, seen.first_at, seen.last_at});
  }
  if (others_.messages > 0) {
    summary.push_back({"*", others_.messages, others_.first_at, others_.last_at});
  }
  seen_.clear();
  others_ = {};
  return summary;
}

}  // namespace tollgate::ingress
