#include "libs/digits/sources.hpp"

#include <algorithm>
#include <vector>

#include "libs/digits/digits.hpp"
#include "libs/digits/network_map.hpp"

namespace tollgate::digits {
namespace {

bool answersSameCalls(const SourceClaim& left, const SourceClaim& right) {
  if (left.identification == Identification::kPeer || right.identification == Identification::kPeer) {
    return true;
  }
  return eitherStartsOther(left.tech_prefix, right.tech_prefix);
}

bool conflicts(const SourceClaim& existing, const SourceClaim& candidate) {
  return sourcesOverlap(existing, candidate) && answersSameCalls(existing, candidate);
}

std::string describe(const SourceClaim& claim) {
  std::string out = claim.network.text();
  if (claim.match_port) {
    out += " port " + std::to_string(claim.port);
  }
  return out;
}

std::string explain(const SourceClaim& existing, const SourceClaim& candidate) {
  std::string why = "source " + describe(candidate) + " overlaps row " + std::to_string(existing.row.value()) + " (" + describe(existing) +
                    ") of trunk " + std::to_string(existing.trunk.value());
  if (existing.identification == Identification::kPeer) {
    return why + ", a peer trunk, which accepts every call from there";
  }
  if (candidate.identification == Identification::kPeer) {
    return why + "; a peer trunk must have its sources for itself";
  }
  return why + ", and tech prefix " + candidate.tech_prefix + " cannot be told from its " + existing.tech_prefix;
}

// The candidate's rows, sorted by network, so that those which overlap one network are found without looking at all of them.
class CandidateRows {
 public:
  explicit CandidateRows(std::span<const SourceClaim> rows) {
    for (const auto& row : rows) {
      if (row.identification != Identification::kRegistration) {
        sorted_.push_back(&row);
      }
    }
    std::sort(sorted_.begin(), sorted_.end(), before);
    std::vector<NetworkMap<const SourceClaim*>::Entry> entries;
    for (const auto* row : sorted_) {
      entries.emplace_back(row->network, row);
    }
    trie_ = NetworkMap<const SourceClaim*>(std::move(entries));
  }

  [[nodiscard]] const SourceClaim* conflictWith(const SourceClaim& existing) const {
    const SourceClaim* found = nullptr;
    // Rows that contain the existing network ...
    trie_.visit(existing.network.address(), [&](const Network&, const SourceClaim* row) {
      found = conflicts(existing, *row) ? row : nullptr;
      return found == nullptr;
    });
    // ... and rows inside it, which follow each other from its first address on.
    auto inside = std::lower_bound(sorted_.begin(), sorted_.end(), &existing, before);
    for (; found == nullptr && inside != sorted_.end() && existing.network.spans((*inside)->network); ++inside) {
      found = conflicts(existing, **inside) ? *inside : nullptr;
    }
    return found;
  }

 private:
  static bool before(const SourceClaim* left, const SourceClaim* right) { return left->network < right->network; }

  std::vector<const SourceClaim*> sorted_;
  NetworkMap<const SourceClaim*> trie_;
};

}  // namespace

std::optional<Identification> identificationFromWord(std::string_view word) {
  for (const auto identification : {Identification::kPrefix, Identification::kPeer, Identification::kRegistration}) {
    if (word == identificationWord(identification)) {
      return identification;
    }
  }
  return std::nullopt;
}

std::string_view identificationWord(Identification identification) {
  switch (identification) {
    case Identification::kPeer:
      return "peer";
    case Identification::kRegistration:
      return "registration";
    case Identification::kPrefix:
      break;
  }
  return "prefix";
}

bool sourcesOverlap(const SourceClaim& left, const SourceClaim& right) {
  return left.network.overlaps(right.network) && (left.port == right.port || !left.match_port || !right.match_port);
}

std::optional<SourceConflict> findSourceConflict(std::span<const SourceClaim> existing, std::span<const SourceClaim> candidate) {
  const CandidateRows rows(candidate);
  for (const auto& claim : existing) {
    if (claim.identification == Identification::kRegistration || (!candidate.empty() && claim.trunk == candidate.front().trunk)) {
      continue;
    }
    if (const SourceClaim* row = rows.conflictWith(claim)) {
      return SourceConflict{claim, *row, explain(claim, *row)};
    }
  }
  return std::nullopt;
}

}  // namespace tollgate::digits
