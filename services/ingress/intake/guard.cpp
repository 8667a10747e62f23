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
  count(unknown_, address, clock);
  return options_.drop || !mayAnswer(now) ? Verdict::kDrop : Verdict::kRefuse;
}

void Guard::countOverloaded(const sofia::Source& source, const base::Clock& clock) {
  count(overloaded_, addressOf(source), clock);
}

void Guard::count(Counts& counts, const digits::IpAddress& address, const base::Clock& clock) {
  const Address key{address.bits()};
  const auto found = counts.by_address.find(key);
  Seen& seen = found != counts.by_address.end()                    ? found->second
               : counts.by_address.size() < options_.addresses_max ? counts.by_address[key]
                                                                   : counts.others;
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

void Guard::addTo(std::vector<UnknownSourceCount>& summary, const Counts& counts, base::Reason reason) {
  for (const auto& [address, seen] : counts.by_address) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<std::uint8_t>(address.bits.high >> (56U - 8U * i));
      bytes[8 + i] = static_cast<std::uint8_t>(address.bits.low >> (56U - 8U * i));
    }
    summary.push_back({digits::IpAddress::fromV6(bytes).text(), seen.messages, seen.first_at, seen.last_at, reason});
  }
  if (counts.others.messages > 0) {
    summary.push_back({"*", counts.others.messages, counts.others.first_at, counts.others.last_at, reason});
  }
}

std::vector<UnknownSourceCount> Guard::takeSummary() {
  std::vector<UnknownSourceCount> summary;
  addTo(summary, unknown_, base::Reason::kUnknownSource);
  addTo(summary, overloaded_, base::Reason::kOverloaded);
  unknown_ = {};
  overloaded_ = {};
  return summary;
}

}  // namespace tollgate::ingress
