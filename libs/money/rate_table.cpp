#include "libs/money/rate_table.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace tollgate::money {

namespace {

constexpr std::int64_t kOpenEnd = std::numeric_limits<std::int64_t>::max();

std::int64_t microseconds(base::WallTime time) {
  return time.time_since_epoch().count();
}

}  // namespace

base::Result<PlanRates::Rates::Entry> PlanRates::toEntry(const RateRow& row) {
  const auto prefix = digits::PrefixCode::parse(row.prefix);
  if (!prefix) {
    return base::fail(base::ErrorCode::kInvalid, "rate " + std::to_string(row.id.value()) + ": prefix " + prefix.error().message);
  }
  Entry entry;
  entry.id = row.id.value();
  entry.from_us = microseconds(row.valid_from);
  entry.to_us = row.valid_to ? microseconds(*row.valid_to) : kOpenEnd;
  entry.per_minute_micros = row.per_minute_micros;
  entry.connection_fee_micros = row.connection_fee_micros;
  entry.connection_seconds = static_cast<std::int32_t>(row.connection_seconds);
  entry.billing_block_seconds = static_cast<std::int32_t>(row.billing_block_seconds);
  return Rates::Entry(*prefix, entry);
}

bool PlanRates::inOrder(const Rates::Entry& left, const Rates::Entry& right) {
  return left.first != right.first ? left.first < right.first : left.second.from_us < right.second.from_us;
}

base::Result<void> PlanRates::Builder::add(const RateRow& row) {
  constexpr std::size_t kPieceMin = 16;
  constexpr std::size_t kPieceMax = 16'384;
  TG_TRY_ASSIGN(entry, toEntry(row));
  if (pieces_.empty() || pieces_.back().size() == pieces_.back().capacity()) {
    pieces_.emplace_back().reserve(std::clamp(size_, kPieceMin, kPieceMax));
  }
  pieces_.back().push_back(entry);
  ++size_;
  return {};
}

std::shared_ptr<const PlanRates> PlanRates::Builder::build() {
  std::vector<Rates::Entry> entries;
  entries.reserve(size_);
  for (; !pieces_.empty(); pieces_.pop_front()) {
    entries.insert(entries.end(), pieces_.front().begin(), pieces_.front().end());
  }
  if (!std::is_sorted(entries.begin(), entries.end(), inOrder)) {
    std::sort(entries.begin(), entries.end(), inOrder);
  }
  return std::shared_ptr<const PlanRates>(new PlanRates(plan_, currency_, std::move(entries)));
}

base::Result<std::shared_ptr<const PlanRates>> PlanRates::build(base::RatePlanId plan, Currency currency,
                                                                const std::vector<RateRow>& rows) {
  Builder builder(plan, currency);
  for (const RateRow& row : rows) {
    TG_TRY(builder.add(row));
  }
  return builder.build();
}

bool PlanRates::contains(const RateRow& row) const {
  const auto wanted = toEntry(row);
  bool found = false;
  if (wanted) {
    rates_.visit(digits::PrefixCode::head(row.prefix), [&](digits::PrefixCode prefix, const Entry& entry) {
      found = prefix == wanted->first && entry == wanted->second;
      return !found && prefix == wanted->first;
    });
  }
  return found;
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
  std::vector<Rates::Entry> entries = rates_.entries();
  std::erase_if(entries, [&](const Rates::Entry& entry) { return replaced.contains(entry.second.id); });
  const auto kept = static_cast<std::ptrdiff_t>(entries.size());
  for (const RateRow& row : rows) {
    TG_TRY_ASSIGN(entry, toEntry(row));
    entries.push_back(entry);
  }
  // The kept ones are in order, so that the change of one rate does not sort a million.
  std::sort(entries.begin() + kept, entries.end(), inOrder);
  std::inplace_merge(entries.begin(), entries.begin() + kept, entries.end(), inOrder);
  return std::shared_ptr<const PlanRates>(new PlanRates(plan_, currency_, std::move(entries)));
}

bool PlanRates::containsAny(const std::vector<base::RateId>& ids) const {
  std::unordered_set<std::int64_t> wanted;
  for (const base::RateId id : ids) {
    wanted.insert(id.value());
  }
  const auto rates = rates_.values();
  return std::any_of(rates.begin(), rates.end(), [&](const Entry& entry) { return wanted.contains(entry.id); });
}

Rate PlanRates::toRate(digits::PrefixCode prefix, const Entry& entry) const {
  Rate rate;
  rate.plan = plan_;
  rate.id = base::RateId(entry.id);
  rate.prefix = prefix.text();
  rate.currency = currency_;
  rate.per_minute_micros = entry.per_minute_micros;
  rate.connection_fee_micros = entry.connection_fee_micros;
  rate.connection_seconds = entry.connection_seconds;
  rate.billing_block_seconds = entry.billing_block_seconds;
  return rate;
}

std::optional<Rate> PlanRates::find(std::string_view digits, base::WallTime at) const {
  const std::int64_t now = microseconds(at);
  std::optional<Rate> found;
  rates_.visit(digits::PrefixCode::head(digits), [&](digits::PrefixCode prefix, const Entry& entry) {
    const bool is_valid = entry.from_us <= now && now < entry.to_us;
    if (is_valid) {
      found = toRate(prefix, entry);
    }
    return !is_valid;
  });
  return found;
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
