// Writes finished calls down: CDRs, attempts, traces, charges and sums, for a batch in one transaction (REQUIREMENTS 9.3, 10.1). Each call
// once, whatever is replayed; a call closed as lost is corrected when its true record arrives. Worker threads only.
#pragma once

#include <map>
#include <vector>

#include "libs/sql/sql.hpp"
#include "services/billing/accounts/ledger.hpp"
#include "services/billing/records/pricing.hpp"

namespace tollgate::billing {

struct BookOutcome {
  std::size_t written = 0;
  std::size_t repeated = 0;                     // were there before
  std::size_t corrected = 0;                    // had been closed as lost
  std::size_t lost = 0;                         // written as lost
  std::map<base::CustomerId, AccountSum> sums;  // of every customer of the batch, after it
};

// kConflict: another replica wrote one of them at the same time; run the transaction again.
[[nodiscard]] base::Result<BookOutcome> writeCalls(sql::Session& session, const std::vector<const FinishedCall*>& calls);

[[nodiscard]] base::Result<void> writeUnknownSources(sql::Session& session, const call::v1::UnknownSources& summary);

struct DeadLetter {
  std::uint64_t stream_sequence = 0;
  std::string subject;
  std::string error;
  std::string data;
};

[[nodiscard]] base::Result<void> writeDeadLetter(sql::Session& session, const DeadLetter& letter);

}  // namespace tollgate::billing
