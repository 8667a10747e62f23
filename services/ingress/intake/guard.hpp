// Decides who may send SIP to us at all (REQUIREMENTS 2.4): one lookup in the authorised networks, and one counter for an unknown source.
// A flood from unknown sources stops here: it causes one summary per address and period on bus and disk (REQUIREMENTS 10.1). Owns the
// counts of the period. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/reason.hpp"
#include "libs/digits/network_map.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::ingress {

enum class Verdict : std::uint8_t {
  kKnown,
  kNoNetworksYet,  // the first list of networks has not arrived
  kRefuse,
  kDrop,
};

struct UnknownSourceCount {
  std::string address;  // "*" = all addresses beyond the table's bound
  std::uint64_t messages = 0;
  base::WallTime first_at;
  base::WallTime last_at;
  base::Reason reason = base::Reason::kUnknownSource;
};

class Guard {
 public:
  struct Options {
    bool drop = false;
    std::uint32_t answers_per_second = 0;  // to unknown sources; beyond: no answer
    std::size_t addresses_max = 1024;      // counted one by one in a period; the others share one count
  };

  explicit Guard(Options options) : options_(options) {}

  void setNetworks(std::shared_ptr<const digits::NetworkSet> networks) { networks_ = std::move(networks); }
  [[nodiscard]] bool hasNetworks() const { return networks_ != nullptr; }

  [[nodiscard]] Verdict check(const sofia::Source& source, base::MonotonicTime now, const base::Clock& clock);

  // Counts an INVITE that is refused without a record because this instance is overloaded.
  void countOverloaded(const sofia::Source& source, const base::Clock& clock);

  // What was counted since the last call; empty when there was nothing.
  [[nodiscard]] std::vector<UnknownSourceCount> takeSummary();

 private:
  struct Address {
    digits::AddressBits bits;
    friend bool operator==(const Address&, const Address&) = default;
  };
  struct AddressHash {
    std::size_t operator()(const Address& address) const noexcept {
      return std::hash<std::uint64_t>{}(address.bits.high * 0x9e3779b97f4a7c15ULL ^ address.bits.low);
    }
  };
  struct Seen {
    std::uint64_t messages = 0;
    base::WallTime first_at;
    base::WallTime last_at;
  };

  struct Counts {
    std::unordered_map<Address, Seen, AddressHash> by_address;
    Seen others;
  };
  void count(Counts& counts, const digits::IpAddress& address, const base::Clock& clock);
  static void addTo(std::vector<UnknownSourceCount>& summary, const Counts& counts, base::Reason reason);
  [[nodiscard]] bool mayAnswer(base::MonotonicTime now);

  // Passed in.
  Options options_;
  std::shared_ptr<const digits::NetworkSet> networks_;  // shared with the thread that built it until it is replaced
  // Owned.
  Counts unknown_;
  Counts overloaded_;
  // Derived.
  base::MonotonicTime second_;  // when the second began in which answers are counted
  std::uint32_t answered_ = 0;
};

}  // namespace tollgate::ingress
