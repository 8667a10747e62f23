// The rates of all rate plans in memory (REQUIREMENTS 8.2, 8.3): the longest prefix of a number whose rate is valid at a time.
//
// Thread: PlanRates and RateTable are immutable once built and read by any thread. A change makes a new PlanRates for that plan alone and
// a new RateTable that shares the other plans. A plan owns its rates, in a digits::PrefixMap: about 60 bytes a rate.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "libs/base/result.hpp"
#include "libs/digits/prefix_map.hpp"
#include "libs/money/rating.hpp"

namespace tollgate::money {

// One row of a rate plan. Valid from valid_from until just before valid_to; no valid_to = without end. Amounts are in micro-units of the
// plan's currency.
struct RateRow {
  base::RateId id;
  std::string prefix;
  base::WallTime valid_from;
  std::optional<base::WallTime> valid_to;
  std::int64_t per_minute_micros = 0;
  std::int64_t connection_fee_micros = 0;
  std::int64_t connection_seconds = 0;
  std::int64_t billing_block_seconds = 1;
};

class PlanRates {
 public:
  // Takes the rows one by one and keeps them in the form of the table, so that they are never in memory as rows too. One thread.
  class Builder;

  // Rows in any order; rows sorted by prefix build faster.
  // Errors: kInvalid: a prefix that is not 0 to 15 digits.
  [[nodiscard]] static base::Result<std::shared_ptr<const PlanRates>> build(base::RatePlanId plan, Currency currency,
                                                                            const std::vector<RateRow>& rows);
  // This plan with `rows` in place of the rows of the same ids, and without `removed`. Takes time in proportion to the plan's size.
  // Errors: as build.
  [[nodiscard]] base::Result<std::shared_ptr<const PlanRates>> with(const std::vector<RateRow>& rows,
                                                                    const std::vector<base::RateId>& removed) const;
  // The rate with the longest prefix of `digits` that is valid at `at`; nullopt = there is none.
  [[nodiscard]] std::optional<Rate> find(std::string_view digits, base::WallTime at) const;
  [[nodiscard]] Currency currency() const { return currency_; }
  // Whether the plan has a rate with one of these ids. Takes time in proportion to the plan's size.
  [[nodiscard]] bool containsAny(const std::vector<base::RateId>& ids) const;
  // Whether exactly this row is in the plan.
  [[nodiscard]] bool contains(const RateRow& row) const;
  [[nodiscard]] std::size_t size() const { return rates_.size(); }

 private:
  struct Entry {
    std::int64_t id = 0;
    std::int64_t from_us = 0;
    std::int64_t to_us = 0;
    std::int64_t per_minute_micros = 0;
    std::int64_t connection_fee_micros = 0;
    std::int32_t connection_seconds = 0;
    std::int32_t billing_block_seconds = 1;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  using Rates = digits::PrefixMap<Entry>;

  PlanRates(base::RatePlanId plan, Currency currency, std::vector<Rates::Entry> sorted_rates)
      : plan_(plan), currency_(currency), rates_(std::move(sorted_rates)) {}
  [[nodiscard]] static base::Result<Rates::Entry> toEntry(const RateRow& row);
  [[nodiscard]] static bool inOrder(const Rates::Entry& left, const Rates::Entry& right);
  [[nodiscard]] Rate toRate(digits::PrefixCode prefix, const Entry& entry) const;

  // Passed in.
  base::RatePlanId plan_;
  Currency currency_;
  // Derived.
  Rates rates_;  // rates of one prefix in the order of their validity
};

class PlanRates::Builder {
 public:
  Builder(base::RatePlanId plan, Currency currency) : plan_(plan), currency_(currency) {}
  // In any order. Errors: kInvalid: a prefix that is not 0 to 15 digits; the row is not added.
  [[nodiscard]] base::Result<void> add(const RateRow& row);
  // Requires: called once, last.
  [[nodiscard]] std::shared_ptr<const PlanRates> build();

 private:
  const base::RatePlanId plan_;
  const Currency currency_;
  // In pieces, because one long vector would be copied whenever it grows.
  std::list<std::vector<Rates::Entry>> pieces_;
  std::size_t size_ = 0;
};

class RateTable {
 public:
  using Plans = std::unordered_map<base::RatePlanId, std::shared_ptr<const PlanRates>>;  // shared between successive tables
  RateTable() = default;
  explicit RateTable(Plans plans) : plans_(std::move(plans)) {}
  [[nodiscard]] std::optional<Rate> find(base::RatePlanId plan, std::string_view digits, base::WallTime at) const;
  [[nodiscard]] const PlanRates* plan(base::RatePlanId id) const;
  [[nodiscard]] const Plans& plans() const { return plans_; }

 private:
  Plans plans_;
};

}  // namespace tollgate::money
