// The rule against ambiguous sources (REQUIREMENTS 2.6): no call may be identified by two enabled trunks. Pure functions, any thread;
// admin_api calls them inside the transaction that saves a trunk.
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

// A source row together with how its trunk identifies calls.
struct AuthorisedSource {
  base::TrunkId trunk;
  base::SourceRowId row;  // not set before the row is saved
  Identification identification = Identification::kPrefix;
  std::string tech_prefix;
  Network network;
  std::uint16_t port = 5060;
  bool match_port = false;
};

// Whether one message could match both rows: the networks overlap, and the ports are equal or one of the rows does not match ports.
[[nodiscard]] bool sourcesOverlap(const AuthorisedSource& left, const AuthorisedSource& right);

struct SourceConflict {
  AuthorisedSource existing;
  AuthorisedSource candidate;
  std::string explanation;  // for the person who saves; names the other trunk and row
};

// The first conflict in the order of `existing`; nullopt = none. `existing`: the rows of enabled trunks; those of the candidate's own trunk
// are skipped. `candidate`: the rows of one trunk that is being saved as enabled. Takes about 100 ns for each existing row.
[[nodiscard]] std::optional<SourceConflict> findSourceConflict(std::span<const AuthorisedSource> existing,
                                                               std::span<const AuthorisedSource> candidate);

}  // namespace tollgate::digits
