#include "libs/digits/sources.hpp"

#include <algorithm>
#include <vector>

#include "libs/digits/digits.hpp"
#include "libs/digits/network_map.hpp"

namespace tollgate::digits {
namespace {

bool identifiesSameCalls(const AuthorisedSource& left, const AuthorisedSource& right) {
  if (left.identification == Identification::kPeer || right.identification == Identification::kPeer) {
    return true;
  }
  return eitherStartsOther(left.tech_prefix, right.tech_prefix);
}

bool conflicts(const AuthorisedSource& existing, const AuthorisedSource& candidate) {
  return sourcesOverlap(existing, candidate) && identifiesSameCalls(existing, candidate);
}

std::string describe(const AuthorisedSource& source) {
  std::string out = source.network.text();
  if (source.match_port) {
    out += " port " + std::to_string(source.port);
  }
  return out;
}

std::string explain(const AuthorisedSource& existing, const AuthorisedSource& candidate) {
  const std::string trunk = "trunk " + std::to_string(existing.trunk.value());
  const std::string overlap = "source " + describe(candidate) + " overlaps source row " + std::to_string(existing.row.value()) + " (" +
                              describe(existing) + ") of " + trunk;
  if (existing.identification == Identification::kPeer) {
    return overlap + ", which is a peer trunk and accepts every call from there";
  }
  if (candidate.identification == Identification::kPeer) {
    return overlap + "; the sources of a peer trunk must not overlap those of other trunks";
  }
  return overlap + ", and one of the tech prefixes " + candidate.tech_prefix + " and " + existing.tech_prefix + " starts the other";
}

// The candidate's rows sorted by network, so that those that overlap one network are found without comparing all of them.
class CandidateRows {
 public:
  explicit CandidateRows(std::span<const AuthorisedSource> rows) {
    for (const auto& row : rows) {
      if (row.identification != Identification::kRegistration) {
        sorted_.push_back(&row);
      }
    }
    std::sort(sorted_.begin(), sorted_.end(), before);
    std::vector<NetworkMap<const AuthorisedSource*>::Entry> entries;
    for (const auto* row : sorted_) {
      entries.emplace_back(row->network, row);
    }
    map_ = NetworkMap<const AuthorisedSource*>(std::move(entries));
  }

  [[nodiscard]] const AuthorisedSource* conflictWith(const AuthorisedSource& existing) const {
    const AuthorisedSource* found = nullptr;
    // Rows that contain the existing network ...
    map_.visit(existing.network.address(), [&](const Network&, const AuthorisedSource* row) {
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
  static bool before(const AuthorisedSource* left, const AuthorisedSource* right) { return left->network < right->network; }

  std::vector<const AuthorisedSource*> sorted_;
  NetworkMap<const AuthorisedSource*> map_;
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

bool sourcesOverlap(const AuthorisedSource& left, const AuthorisedSource& right) {
  return left.network.overlaps(right.network) && (left.port == right.port || !left.match_port || !right.match_port);
}

std::optional<SourceConflict> findSourceConflict(std::span<const AuthorisedSource> existing, std::span<const AuthorisedSource> candidate) {
  const CandidateRows rows(candidate);
  for (const auto& source : existing) {
    if (source.identification == Identification::kRegistration || (!candidate.empty() && source.trunk == candidate.front().trunk)) {
      continue;
    }
    if (const AuthorisedSource* row = rows.conflictWith(source)) {
      return SourceConflict{source, *row, explain(source, *row)};
    }
  }
  return std::nullopt;
}

}  // namespace tollgate::digits
