// The double-entry ledger in MySQL: entries, running sums, movements (REQUIREMENTS 9.4, 1.8). Every function runs inside a transaction of
// the caller's; worker threads only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "libs/money/money.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::billing {

// Two lines that sum to zero: `amount` on the customer's account and its opposite on the system's.
struct Transfer {
  std::string id;  // unique: a transfer is posted once per id
  base::CustomerId customer;
  std::string counterpart;  // cash or revenue
  std::int64_t amount_micros = 0;
  money::Currency currency;
  std::string kind;
  std::string call_id;  // empty = none
  std::string reference;
  std::string author;
  std::string note;
  base::WallTime at;
};

struct AccountSum {
  std::int64_t balance_micros = 0;
  std::int64_t version = 0;
};

[[nodiscard]] std::string customerAccount(base::CustomerId customer);

// Writes entries and sums. kConflict: one of the transfer ids exists already; nothing of this transaction may then be kept.
[[nodiscard]] base::Result<void> post(sql::Session& session, const std::vector<Transfer>& transfers);

// Customers without an account yet have balance 0, version 0.
[[nodiscard]] base::Result<std::map<base::CustomerId, AccountSum>> readSums(sql::Session& session,
                                                                            const std::vector<base::CustomerId>& customers);

}  // namespace tollgate::billing
