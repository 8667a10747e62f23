// The rows of one finished call, in the column order of kCdrHead and its sisters; texts are cut to their columns. Pure, any thread.
#pragma once

#include <vector>

#include "libs/sql/sql.hpp"
#include "services/billing/records/pricing.hpp"

namespace tollgate::billing {

using SqlRow = std::vector<sql::Value>;

extern const char* const kCdrHead;
extern const char* const kAttemptHead;
extern const char* const kTraceHead;

[[nodiscard]] SqlRow cdrRow(const FinishedCall& call, const Price& price);
[[nodiscard]] std::vector<SqlRow> attemptRows(const FinishedCall& call);
[[nodiscard]] SqlRow traceRow(const FinishedCall& call);

}  // namespace tollgate::billing
