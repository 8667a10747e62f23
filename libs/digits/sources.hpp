// The rule against ambiguous sources (REQUIREMENTS 2.6): which enabled trunk already claims calls that another would claim too. Pure, any
// thread; admin_api asks it inside the saving transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/ids.hpp"
#include "libs/digits/ip.hpp"

namespace tollgate::digits {

enum class Identification : std::uint8_t { kPrefix, kPeer, kRegistration };

// prefix, peer, registration
[[nodiscard]] std::optional<Identification> identificationFromWord(std::string_view word);
[[nodiscard]] std::string_view identificationWord(Identification identification);

// One authorised source row together with how its trunk identifies calls.
struct SourceClaim {
  base::TrunkId trunk;
  base::SourceRowId row;  // none for a row not saved yet
  Identification identification = Identification::kPrefix;
  std::string tech_prefix;
  Network network;
  std::uint16_t port = 5060;
  bool match_port = false;
};

// Rows that could both be the source of one message: networks overlap, and the ports are equal or one of the two does not match ports.
[[nodiscard]] bool sourcesOverlap(const SourceClaim& left, const SourceClaim& right);

struct SourceConflict {
  SourceClaim existing;
  SourceClaim candidate;
  std::string why;  // in words for the person saving: names the other trunk and row
};

// `existing`: rows of enabled trunks (rows of the candidate's own trunk are passed over). `candidate`: rows of the one trunk being saved
// as enabled; a disabled one is not asked about. The first conflict in the order of `existing`. About 100 ns an existing row.
[[nodiscard]] std::optional<SourceConflict> findSourceConflict(std::span<const SourceClaim> existing,
                                                               std::span<const SourceClaim> candidate);

}  // namespace tollgate::digits
