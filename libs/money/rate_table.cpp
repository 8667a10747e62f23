#include "libs/money/rate_table.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>

#include "libs/base/limits.hpp"

namespace tollgate::money {

namespace {

constexpr std::size_t kPrefixMax = base::limits::kRuleCodeDigitsMax;
constexpr unsigned kBitsPerDigit = 4;
constexpr unsigned kKeyBits = static_cast<unsigned>(kPrefixMax) * kBitsPerDigit;
constexpr std::int64_t kOpenEnd = std::numeric_limits<std::int64_t>::max();

bool isDigit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::int64_t microseconds(base::WallTime time) {
  return time.time_since_epoch().count();
}

// 0 = the prefix ends before this depth, else digit + 1.
unsigned slotAt(std::uint64_t key, std::size_t depth) {
  const unsigned shift = kKeyBits - kBitsPerDigit * (static_cast<unsigned>(depth) + 1);
  return static_cast<unsigned>(key >> shift) & 0xFU;
}

std::string prefixOf(std::uint64_t key) {
  std::string prefix;
  for (std::size_t depth = 0; depth < kPrefixMax; ++depth) {
    const unsigned slot = slotAt(key, depth);
    if (slot == 0) {
      break;
    }
    prefix.push_back(static_cast<char>('0' + static_cast<int>(slot) - 1));
  }
  return prefix;
}

}  // namespace

base::Result<PlanRates::Entry> PlanRates::toEntry(const RateRow& row) {
  if (row.prefix.size() > kPrefixMax || !std::all_of(row.prefix.begin(), row.prefix.end(), isDigit)) {
    return base::fail(base::ErrorCode::kInvalid, "rate " + std::to_string(row.id.value()) + ": prefix must be 0 to 15 digits");
  }
  Entry entry;
  for (std::size_t i = 0; i < row.prefix.size(); ++i) {
    const auto slot = static_cast<std::uint64_t>(row.prefix[i] - '0' + 1);
    entry.key |= slot << (kKeyBits - kBitsPerDigit * (static_cast<unsigned>(i) + 1));
  }
  entry.id = row.id.value();
  entry.from_us = microseconds(row.valid_from);
  entry.to_us = row.valid_to ? microseconds(*row.valid_to) : kOpenEnd;
  entry.per_minute_micros = row.per_minute_micros;
  entry.connection_fee_micros = row.connection_fee_micros;
  entry.connection_seconds = static_cast<std::int32_t>(row.connection_seconds);
  entry.billing_block_seconds = static_cast<std::int32_t>(row.billing_block_seconds);
  return entry;
}

bool PlanRates::Entry::operator<(const Entry& other) const {
  return key != other.key ? key < other.key : from_us < other.from_us;
}

PlanRates::PlanRates(base::RatePlanId plan, Currency currency, std::vector<Entry> sorted_rates)
    : plan_(plan), currency_(currency), rates_(std::move(sorted_rates)) {
  buildNodes();
}

// Breadth first over ranges of the sorted rates, so that the children of a node come out side by side.
void PlanRates::buildNodes() {
  struct Range {
    std::size_t low;
    std::size_t high;
    std::size_t depth;
  };
  std::vector<Range> ranges{{0, rates_.size(), 0}};
  nodes_.clear();
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Range range = ranges[i];
    Node node;
    std::size_t at = range.low;
    const auto ends_here = [&](const Entry& entry) { return range.depth == kPrefixMax || slotAt(entry.key, range.depth) == 0; };
    while (at < range.high && ends_here(rates_[at])) {
      ++at;
    }
    node.first_rate = static_cast<std::uint32_t>(range.low);
    node.rate_count = static_cast<std::uint32_t>(at - range.low);
    node.first_child = static_cast<std::uint32_t>(ranges.size());
    while (at < range.high) {
      const unsigned slot = slotAt(rates_[at].key, range.depth);
      const auto next =
          std::partition_point(rates_.begin() + static_cast<std::ptrdiff_t>(at), rates_.begin() + static_cast<std::ptrdiff_t>(range.high),
                               [&](const Entry& entry) { return slotAt(entry.key, range.depth) == slot; });
      const auto end = static_cast<std::size_t>(next - rates_.begin());
      node.children = static_cast<std::uint16_t>(node.children | (1U << (slot - 1)));
      ranges.push_back({at, end, range.depth + 1});
      at = end;
    }
    nodes_.push_back(node);
  }
  nodes_.shrink_to_fit();
}

base::Result<std::shared_ptr<const PlanRates>> PlanRates::build(base::RatePlanId plan, Currency currency,
                                                                const std::vector<RateRow>& rows) {
  std::vector<Entry> entries;
  entries.reserve(rows.size());
  for (const RateRow& row : rows) {
    TG_TRY_ASSIGN(entry, toEntry(row));
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end());
  return std::shared_ptr<const PlanRates>(new PlanRates(plan, currency, std::move(entries)));
}

base::Result<std::shared_ptr<const PlanRates>> PlanRates::with(const std::vector<RateRow>& rows,
                                                               const std::vector<base::RateId>& removed) const {
  std::unordered_set<std::int64_t> replaced;
  for (const RateRow& row : rows) {
    replaced.insert(row.id.value());
  }
  for (const base::RateId id : removed) {
    replaced.insert(id.value());
  }
  std::vector<Entry> entries;
  entries.reserve(rates_.size() + rows.size());
  std::copy_if(rates_.begin(), rates_.end(), std::back_inserter(entries), [&](const Entry& entry) { return !replaced.contains(entry.id); });
  const auto kept = static_cast<std::ptrdiff_t>(entries.size());
  for (const RateRow& row : rows) {
    TG_TRY_ASSIGN(entry, toEntry(row));
    entries.push_back(entry);
  }
  // What was there is in order: a change of one rate does not sort a million.
  std::sort(entries.begin() + kept, entries.end());
  std::inplace_merge(entries.begin(), entries.begin() + kept, entries.end());
  return std::shared_ptr<const PlanRates>(new PlanRates(plan_, currency_, std::move(entries)));
}

bool PlanRates::containsAny(const std::vector<base::RateId>& ids) const {
  std::unordered_set<std::int64_t> wanted;
  for (const base::RateId id : ids) {
    wanted.insert(id.value());
  }
  return std::any_of(rates_.begin(), rates_.end(), [&](const Entry& entry) { return wanted.contains(entry.id); });
}

Rate PlanRates::toRate(const Entry& entry) const {
  Rate rate;
  rate.plan = plan_;
  rate.id = base::RateId(entry.id);
  rate.prefix = prefixOf(entry.key);
  rate.currency = currency_;
  rate.per_minute_micros = entry.per_minute_micros;
  rate.connection_fee_micros = entry.connection_fee_micros;
  rate.connection_seconds = entry.connection_seconds;
  rate.billing_block_seconds = entry.billing_block_seconds;
  return rate;
}

std::optional<Rate> PlanRates::find(std::string_view digits, base::WallTime at) const {
  // The nodes with rates on the way down; validity is looked at from the longest one upwards.
  const Node* found[kPrefixMax + 1];
  std::size_t count = 0;
  const Node* node = nodes_.data();
  for (std::size_t depth = 0;; ++depth) {
    if (node->rate_count != 0) {
      found[count++] = node;
    }
    if (depth == digits.size() || depth == kPrefixMax || !isDigit(digits[depth])) {
      break;
    }
    const unsigned bit = 1U << static_cast<unsigned>(digits[depth] - '0');
    if ((node->children & bit) == 0) {
      break;
    }
    node = &nodes_[node->first_child + static_cast<std::uint32_t>(std::popcount(node->children & (bit - 1)))];
  }
  const std::int64_t now = microseconds(at);
  while (count != 0) {
    const Node& candidate = *found[--count];
    for (std::uint32_t i = 0; i < candidate.rate_count; ++i) {
      const Entry& entry = rates_[candidate.first_rate + i];
      if (entry.from_us <= now && now < entry.to_us) {
        return toRate(entry);
      }
    }
  }
  return std::nullopt;
}

std::optional<Rate> RateTable::find(base::RatePlanId plan, std::string_view digits, base::WallTime at) const {
  const PlanRates* rates = this->plan(plan);
  return rates == nullptr ? std::nullopt : rates->find(digits, at);
}

const PlanRates* RateTable::plan(base::RatePlanId id) const {
  const auto found = plans_.find(id);
  return found == plans_.end() ? nullptr : found->second.get();
}

}  // namespace tollgate::money
