// Which of many digit prefixes start a number, longest first. Built once, then immutable: any number of threads may look up together.
// Ten entries or five million, one binary search and a walk over the prefixes that match. Stored flat, see nested.hpp.
#pragma once

#include <algorithm>
#include <concepts>
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
  // In any order; equal codes may appear more than once: all are visited, in the order given.
  explicit PrefixMap(std::vector<Entry> entries) {
    std::reverse(entries.begin(), entries.end());
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) { return left.first < right.first; });
    codes_.reserve(entries.size());
    values_.reserve(entries.size());
    for (auto& [code, value] : entries) {
      codes_.push_back(code);
      values_.push_back(std::move(value));
    }
    parents_ = parentsOfSorted(codes_.size(), [this](std::size_t outer, std::size_t inner) { return codes_[outer].starts(codes_[inner]); });
  }

  [[nodiscard]] std::size_t size() const { return codes_.size(); }

  // nullptr = no code starts the number.
  [[nodiscard]] const Value* longest(const Digits& number) const {
    const Value* found = nullptr;
    visit(number, [&found](PrefixCode, const Value& value) {
      found = &value;
      return false;
    });
    return found;
  }

  // visit(code, value) for every code that starts the number, longest first, until it returns false.
  template <std::predicate<PrefixCode, const Value&> Visit>
  void visit(const Digits& number, Visit visit) const {
    const PrefixCode head = PrefixCode::head(number);
    const auto after = std::upper_bound(codes_.begin(), codes_.end(), head);
    auto at = after == codes_.begin() ? kNoParent : static_cast<std::uint32_t>(after - codes_.begin() - 1);
    for (; at != kNoParent; at = parents_[at]) {
      if (codes_[at].starts(head) && !visit(codes_[at], values_[at])) {
        return;
      }
    }
  }

 private:
  std::vector<PrefixCode> codes_;
  std::vector<Value> values_;
  std::vector<std::uint32_t> parents_;
};

}  // namespace tollgate::digits
