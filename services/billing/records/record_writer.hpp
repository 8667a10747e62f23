// Writes what the record stream delivers to MySQL: calls (CDR, attempts, trace, charge, sums), unknown sources, dead letters (REQUIREMENTS
// 9.3, 10.1). Every function runs inside a transaction of the caller and may be repeated: a call is written once, whatever is replayed, and
// a call that was closed as lost is corrected when its true record arrives, and again by a true record that was made later. Worker threads
// only. Owns nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libs/cdr/columns.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/ledger.hpp"

namespace tollgate::billing {

struct WriteOutcome {
  std::size_t written = 0;
  std::size_t repeated = 0;                     // had been written before
  std::size_t corrected = 0;                    // replaced what was stored
  std::size_t lost = 0;                         // written as lost
  std::map<base::CustomerId, AccountSum> sums;  // of every customer of the batch, after it
};

// Requires: every call id is valid. Errors: kConflict, another replica wrote one of the calls meanwhile: run the transaction again.
[[nodiscard]] base::Result<WriteOutcome> writeCalls(sql::Session& session, const std::vector<const cdr::FinishedCall*>& calls);

// A summary that was written before changes nothing.
[[nodiscard]] base::Result<void> writeUnknownSources(sql::Session& session, const call::v1::UnknownSources& summary);

// A record that cannot be read or stored, kept for the operator.
struct DeadLetter {
  std::uint64_t stream_sequence = 0;
  std::string subject;
  std::string error;
  std::string data;
};

[[nodiscard]] base::Result<void> writeDeadLetter(sql::Session& session, const DeadLetter& letter);

}  // namespace tollgate::billing
