#include "services/billing/records/record_writer.hpp"

#include <set>

#include "libs/base/clock.hpp"
#include "libs/base/limits.hpp"
#include "libs/base/reason.hpp"
#include "libs/base/text.hpp"
#include "libs/cdr/trace.hpp"
#include "services/billing/records/pricing.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

using cdr::FinishedCall;
using cdr::Price;
using SqlRow = std::vector<sql::Value>;

// What is already in the table `cdrs`.
struct Stored {
  bool lost = false;
  std::int64_t charge_micros = 0;
  std::int64_t corrections = 0;
  std::string recorded_at;  // DATETIME text
};

bool isLost(const FinishedCall& call) {
  return call.record.reason() == common::v1::REASON_INSTANCE_LOST;
}

// As DATETIME text, which sorts by time. A row of an older version has none and sorts first.
std::string recordedAt(const FinishedCall& call) {
  return std::get<std::string>(sql::fromTime(wire::fromWire(call.header.at())));
}

// Whether a record counts instead of another one of the same call. A true record counts instead of one that was made when the call was
// closed as lost, never the other way round. Of two true records the one that was made later counts, so that neither the order of arrival
// nor a repeated delivery matters.
bool replaces(bool is_lost, const std::string& recorded_at, bool was_lost, const std::string& stored_at) {
  return is_lost != was_lost ? was_lost : !is_lost && recorded_at > stored_at;
}

// One record per call.
std::map<std::string, const FinishedCall*> pickRecords(const std::vector<const FinishedCall*>& calls) {
  std::map<std::string, const FinishedCall*> picked;
  for (const FinishedCall* call : calls) {
    const FinishedCall*& slot = picked[call->header.call_id()];
    if (slot == nullptr || replaces(isLost(*call), recordedAt(*call), isLost(*slot), recordedAt(*slot))) {
      slot = call;
    }
  }
  return picked;
}

base::Result<std::map<std::string, Stored>> readStored(sql::Session& session, const std::map<std::string, const FinishedCall*>& calls) {
  std::map<std::string, Stored> stored;
  const std::string lost_word(base::reasonRow(base::Reason::kInstanceLost).word);
  std::vector<sql::Value> ids;
  for (const auto& [id, call] : calls) {
    ids.emplace_back(id);
  }
  constexpr const char* kSelect = "SELECT call_id, reason, charge_micros, corrections, recorded_at FROM cdrs WHERE call_id";
  TG_TRY(sql::eachIn(session, kSelect, ids, [&](const sql::Row& row) {
    stored[row.text(0)] = Stored{row.text(1) == lost_word, row.integer(2), row.integer(3), row.text(4)};
  }));
  return stored;
}

// `correction`: 0 for the first record of a call.
std::string transferId(const std::string& call, std::int64_t correction) {
  const std::string number = correction > 1 ? ":" + std::to_string(correction) : "";
  return "call:" + call + (correction > 0 ? ":correction" + number : "");
}

Transfer chargeOf(const FinishedCall& call, const Price& price, std::int64_t charge_micros, std::int64_t correction) {
  Transfer transfer;
  transfer.id = transferId(call.header.call_id(), correction);
  transfer.customer = base::CustomerId(call.record.customer_id());
  transfer.counterpart = "revenue";
  transfer.amount_micros = -charge_micros;
  transfer.currency = price.currency;
  transfer.kind = "charge";
  transfer.call_id = call.header.call_id();
  transfer.at = call.record.has_ended_at() ? wire::fromWire(call.record.ended_at()) : wire::fromWire(call.header.at());
  return transfer;
}

// A number that occurs twice would break the primary key: the first one counts.
void addAttempts(const FinishedCall& call, std::vector<SqlRow>& rows) {
  std::set<std::uint32_t> numbers;
  for (const call::v1::Attempt& attempt : call.record.attempts()) {
    if (numbers.size() < base::limits::kAttemptsMax && numbers.insert(attempt.number()).second) {
      rows.push_back(cdr::attempts().row({call, attempt}));
    }
  }
}

SqlRow traceRow(const FinishedCall& call) {
  return {call.header.call_id(), cdr::packTrace(call.record.trace())};
}

// What one transaction writes.
struct Batch {
  std::vector<SqlRow> cdrs;
  std::vector<SqlRow> attempts;
  std::vector<SqlRow> traces;
  std::vector<Transfer> transfers;
  std::vector<std::string> replaced;  // call ids whose rows are deleted first

  // `stored` is what the table has of this call, or nullptr. False: the call needs no change.
  [[nodiscard]] bool add(const FinishedCall& call, const Stored* stored) {
    if (stored != nullptr && !replaces(isLost(call), recordedAt(call), stored->lost, stored->recorded_at)) {
      return false;
    }
    const Price price = priceOf(call.record);
    const std::int64_t correction = stored != nullptr ? stored->corrections + 1 : 0;
    cdrs.push_back(cdr::cdrs().row({call, price, correction}));
    addAttempts(call, attempts);
    traces.push_back(traceRow(call));
    const std::int64_t due = price.charge_micros - (stored != nullptr ? stored->charge_micros : 0);
    if (due != 0 && call.record.customer_id() != 0) {
      transfers.push_back(chargeOf(call, price, due, correction));
    }
    if (stored != nullptr) {
      replaced.push_back(call.header.call_id());
    }
    return true;
  }
};

base::Result<void> removeReplaced(sql::Session& session, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    for (const char* table : {"cdrs", "cdr_attempts", "cdr_traces"}) {
      TG_TRY(session.execute("DELETE FROM " + std::string(table) + " WHERE call_id = ?", {id}));
    }
  }
  return {};
}

base::Result<void> insert(sql::Session& session, const Batch& batch) {
  TG_TRY(removeReplaced(session, batch.replaced));
  if (!batch.cdrs.empty()) {
    TG_TRY(session.insertMany(cdr::cdrs().insertHead(), batch.cdrs, ""));
    TG_TRY(session.insertMany("cdr_traces (call_id, trace)", batch.traces, ""));
  }
  if (!batch.attempts.empty()) {
    TG_TRY(session.insertMany(cdr::attempts().insertHead(), batch.attempts, ""));
  }
  return post(session, batch.transfers);
}

}  // namespace

base::Result<WriteOutcome> writeCalls(sql::Session& session, const std::vector<const FinishedCall*>& calls) {
  const auto picked = pickRecords(calls);
  TG_TRY_ASSIGN(stored, readStored(session, picked));
  WriteOutcome outcome;
  outcome.repeated = calls.size() - picked.size();
  Batch batch;
  std::set<base::CustomerId> customers;
  for (const auto& [id, call] : picked) {
    if (const base::CustomerId customer(call->record.customer_id()); customer.isSet()) {
      customers.insert(customer);
    }
    const auto known = stored.find(id);
    const bool is_known = known != stored.end();
    if (!batch.add(*call, is_known ? &known->second : nullptr)) {
      ++outcome.repeated;
    } else if (is_known) {
      ++outcome.corrected;
    } else {
      ++(isLost(*call) ? outcome.lost : outcome.written);
    }
  }
  TG_TRY(insert(session, batch));
  TG_TRY_ASSIGN(sums, readSums(session, {customers.begin(), customers.end()}));
  outcome.sums = std::move(sums);
  return outcome;
}

base::Result<void> writeUnknownSources(sql::Session& session, const call::v1::UnknownSources& summary) {
  std::vector<SqlRow> rows;
  for (const call::v1::UnknownSource& source : summary.sources()) {
    const auto reason = source.reason() == common::v1::REASON_UNSPECIFIED ? base::Reason::kUnknownSource : wire::fromWire(source.reason());
    rows.push_back({summary.header().call_id(), sql::fit(source.address(), 45), static_cast<std::int64_t>(source.messages()),
                    sql::fromTime(wire::fromWire(source.first_at())), sql::fromTime(wire::fromWire(source.last_at())),
                    std::string(base::reasonRow(reason).word)});
  }
  if (rows.empty()) {
    return {};
  }
  TG_TRY(session.insertMany("unknown_sources (summary_id, address, messages, first_at, last_at, reason)", rows,
                            "ON DUPLICATE KEY UPDATE summary_id = summary_id"));
  return {};
}

base::Result<void> writeDeadLetter(sql::Session& session, const DeadLetter& letter) {
  constexpr std::size_t kDataMax = 4U << 20U;  // in hex twice as long, which a MEDIUMTEXT holds
  TG_TRY(session.execute("INSERT INTO dead_letters (stream_sequence, subject, error, data_hex, at) VALUES (?, ?, ?, ?, ?)",
                         {static_cast<std::int64_t>(letter.stream_sequence), sql::fit(letter.subject, 255), sql::fit(letter.error, 255),
                          base::hex(letter.data.substr(0, kDataMax)), sql::fromTime(base::SystemClock().wall())}));
  return {};
}

}  // namespace tollgate::billing
