// The double-entry ledger in MySQL: entries and balances (REQUIREMENTS 9.4, 1.8). Every function runs inside a transaction of the caller.
// Threads: any thread that may block. Owns nothing.
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

// Two entries that sum to zero: `amount` on the customer's account, the opposite on the system's.
struct Transfer {
  std::string id;  // unique: a transfer is posted once per id
  base::CustomerId customer;
  std::string counterpart;  // the system's account: cash, adjustment or revenue
  std::int64_t amount_micros = 0;
  money::Currency currency;
  std::string kind;
  std::string call_id;  // empty = none
  std::string reference;
  std::string author;
  std::string note;
  base::WallTime at;  // when it happened; post() adds when it is written
};

struct AccountSum {
  std::int64_t balance_micros = 0;
  std::int64_t version = 0;
};

[[nodiscard]] std::string customerAccount(base::CustomerId customer);

// Writes the entries and updates the balances. Errors: kConflict: a transfer id exists already, and the caller rolls the transaction back;
// else those of sql::Session.
[[nodiscard]] base::Result<void> post(sql::Session& session, const std::vector<Transfer>& transfers);

// A customer without an account has balance 0 and version 0. Errors: those of sql::Session.
[[nodiscard]] base::Result<std::map<base::CustomerId, AccountSum>> readSums(sql::Session& session,
                                                                            const std::vector<base::CustomerId>& customers);

}  // namespace tollgate::billing
