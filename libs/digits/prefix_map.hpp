// Which of many digit prefixes start a number, longest first: the codes of routing rules (REQUIREMENTS 3.3) and the prefixes of rates
// (REQUIREMENTS 8.3). This is the only prefix structure of the tree.
//
// Thread: built on one thread, then immutable: any number of threads look up at the same time. It owns its values.
// Cost: one binary search, then one step for each code that starts the number. 12 bytes an entry beyond the value. See nested.hpp for
// the structure and README.md for figures with five million entries.
#pragma once

#include <algorithm>
#include <concepts>
#include <span>
#include <utility>
#include <vector>

#include "libs/digits/digits.hpp"
#include "libs/digits/nested.hpp"

namespace tollgate::digits {

template <class Value>
class PrefixMap {
 public:
  using Entry = std::pair<PrefixCode, Value>;

  PrefixMap() = default;
  // In any order; entries that are already sorted by code build in linear time. Equal codes may appear more than once: all of them are
  // visited, in the order given. Requires: fewer than 2^32 - 1 entries.
  explicit PrefixMap(std::vector<Entry> entries) {
    if (!std::is_sorted(entries.begin(), entries.end(), byCode)) {
      std::stable_sort(entries.begin(), entries.end(), byCode);
    }
    reverseEqualCodes(entries);
    codes_.reserve(entries.size());
    values_.reserve(entries.size());
    for (auto& [code, value] : entries) {
      codes_.push_back(code);
      values_.push_back(std::move(value));
    }
    parents_ = parentsOfSorted(codes_.size(), [this](std::size_t outer, std::size_t inner) { return codes_[outer].starts(codes_[inner]); });
  }

  [[nodiscard]] std::size_t size() const { return codes_.size(); }
  // Every value, in no particular order.
  [[nodiscard]] std::span<const Value> values() const { return values_; }
  // A copy of every entry, sorted by code, equal codes in the order given: what a changed map is built from.
  [[nodiscard]] std::vector<Entry> entries() const {
    std::vector<Entry> copy;
    copy.reserve(codes_.size());
    for (std::size_t at = 0; at < codes_.size(); ++at) {
      copy.emplace_back(codes_[at], values_[at]);
    }
    reverseEqualCodes(copy);
    return copy;
  }

  // visit(code, value) for every code that starts the number, longest first, until it returns false. `head`: see PrefixCode::head.
  template <std::predicate<PrefixCode, const Value&> Visit>
  void visit(PrefixCode head, Visit visit) const {
    const auto after = std::upper_bound(codes_.begin(), codes_.end(), head);
    auto at = after == codes_.begin() ? kNoParent : static_cast<std::uint32_t>(after - codes_.begin() - 1);
    for (; at != kNoParent; at = parents_[at]) {
      if (codes_[at].starts(head) && !visit(codes_[at], values_[at])) {
        return;
      }
    }
  }

 private:
  static bool byCode(const Entry& left, const Entry& right) { return left.first < right.first; }

  // visit() walks from the last of equal codes to the first, so they are stored in reverse order.
  static void reverseEqualCodes(std::vector<Entry>& entries) {
    for (auto first = entries.begin(); first != entries.end();) {
      const auto last = std::find_if(first, entries.end(), [first](const Entry& other) { return other.first != first->first; });
      std::reverse(first, last);
      first = last;
    }
  }

  std::vector<PrefixCode> codes_;  // sorted; apart from the values so that the search stays in cache
  std::vector<Value> values_;      // of codes_, same positions
  std::vector<std::uint32_t> parents_;
};

}  // namespace tollgate::digits
