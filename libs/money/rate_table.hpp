// The rates of all plans in memory: per plan a digit trie with validity (REQUIREMENTS 8.2, 8.3). Immutable once built and read by any
// thread; a change makes a new PlanRates for that plan alone and a new RateTable that shares the others.
//
// Shape: a plan's rates lie sorted by prefix and start of validity; over them a trie of 16-byte nodes whose children stand side by side
// (bit mask + first child), so that a lookup of a 15-digit number touches at most 16 nodes and then the rates of the matching prefix.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "libs/base/result.hpp"
#include "libs/money/rating.hpp"

namespace tollgate::money {

// One row of a rate plan. Validity is [valid_from, valid_to); no valid_to = open.
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
  // Rows in any order. kInvalid: a prefix that is not 0-15 digits.
  [[nodiscard]] static base::Result<std::shared_ptr<const PlanRates>> build(base::RatePlanId plan, Currency currency,
                                                                            const std::vector<RateRow>& rows);
  // This plan with `rows` put in place of the rows of the same ids and `removed` taken out.
  [[nodiscard]] base::Result<std::shared_ptr<const PlanRates>> with(const std::vector<RateRow>& rows,
                                                                    const std::vector<base::RateId>& removed) const;
  // The longest prefix of `digits` with a rate valid at `at`.
  [[nodiscard]] std::optional<Rate> find(std::string_view digits, base::WallTime at) const;
  [[nodiscard]] Currency currency() const { return currency_; }
  // Looks at every row.
  [[nodiscard]] bool containsAny(const std::vector<base::RateId>& ids) const;
  [[nodiscard]] std::size_t size() const { return rates_.size(); }

 private:
  struct Entry {
    std::uint64_t key = 0;  // prefix, four bits a digit (digit + 1), left aligned: sorts as the text does
    std::int64_t id = 0;
    std::int64_t from_us = 0;
    std::int64_t to_us = 0;
    std::int64_t per_minute_micros = 0;
    std::int64_t connection_fee_micros = 0;
    std::int32_t connection_seconds = 0;
    std::int32_t billing_block_seconds = 1;
    [[nodiscard]] bool operator<(const Entry& other) const;  // by prefix, then by start
  };
  struct Node {
    std::uint32_t first_child = 0;
    std::uint32_t first_rate = 0;
    std::uint32_t rate_count = 0;
    std::uint16_t children = 0;  // bit d = there is a child for digit d
  };
  PlanRates(base::RatePlanId plan, Currency currency, std::vector<Entry> sorted_rates);
  [[nodiscard]] static base::Result<Entry> toEntry(const RateRow& row);
  void buildNodes();
  [[nodiscard]] Rate toRate(const Entry& entry) const;

  // Passed in.
  base::RatePlanId plan_;
  Currency currency_;
  // Derived.
  std::vector<Entry> rates_;
  std::vector<Node> nodes_;
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
