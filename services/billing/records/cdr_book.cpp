#include "services/billing/records/cdr_book.hpp"

#include <set>
#include <string>

#include "libs/base/clock.hpp"
#include "libs/base/reason.hpp"
#include "services/billing/records/cdr_rows.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

constexpr std::size_t kIdsPerQuery = 500;

struct Stored {
  bool lost = false;
  std::int64_t charge_micros = 0;
};

bool isLost(const FinishedCall& call) {
  return call.record.reason() == common::v1::REASON_INSTANCE_LOST;
}

// One record per call; within a batch the truth goes before a record closed by the lease.
std::map<std::string, const FinishedCall*> pickRecords(const std::vector<const FinishedCall*>& calls) {
  std::map<std::string, const FinishedCall*> picked;
  for (const FinishedCall* call : calls) {
    const FinishedCall*& slot = picked[call->header.call_id()];
    if (slot == nullptr || (isLost(*slot) && !isLost(*call))) {
      slot = call;
    }
  }
  return picked;
}

base::Result<std::map<std::string, Stored>> readStored(sql::Session& session, const std::map<std::string, const FinishedCall*>& calls) {
  std::map<std::string, Stored> stored;
  const std::string lost_word(base::reasonRow(base::Reason::kInstanceLost).word);
  for (auto next = calls.begin(); next != calls.end();) {
    std::string marks;
    std::vector<sql::Value> values;
    for (; next != calls.end() && values.size() < kIdsPerQuery; ++next) {
      marks += values.empty() ? "?" : ",?";
      values.emplace_back(next->first);
    }
    TG_TRY_ASSIGN(rows, session.query("SELECT call_id, reason, charge_micros FROM cdrs WHERE call_id IN (" + marks + ")", values));
    for (const sql::Row& row : rows) {
      stored[row.text(0)] = Stored{row.text(1) == lost_word, row.integer(2)};
    }
  }
  return stored;
}

Transfer chargeOf(const FinishedCall& call, const Price& price, std::int64_t charge_micros, bool correction) {
  Transfer transfer;
  transfer.id = "call:" + call.header.call_id() + (correction ? ":correction" : "");
  transfer.customer = base::CustomerId(call.record.customer_id());
  transfer.counterpart = "revenue";
  transfer.amount_micros = -charge_micros;
  transfer.currency = price.currency;
  transfer.kind = "charge";
  transfer.call_id = call.header.call_id();
  transfer.at = call.record.has_ended_at() ? fromWire(call.record.ended_at()) : fromWire(call.header.at());
  return transfer;
}

// The rows of one batch on their way to the database.
struct CdrRows {
  std::vector<SqlRow> cdrs;
  std::vector<SqlRow> attempts;
  std::vector<SqlRow> traces;
  std::vector<Transfer> transfers;
  std::vector<std::string> replaced;  // call ids whose lost record gives way

  void add(const FinishedCall& call, const Price& price) {
    cdrs.push_back(cdrRow(call, price));
    for (SqlRow& row : attemptRows(call)) {
      attempts.push_back(std::move(row));
    }
    traces.push_back(traceRow(call));
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

base::Result<void> insertRows(sql::Session& session, const CdrRows& rows) {
  TG_TRY(removeReplaced(session, rows.replaced));
  if (!rows.cdrs.empty()) {
    TG_TRY(session.insertMany(kCdrHead, rows.cdrs, ""));
    TG_TRY(session.insertMany(kTraceHead, rows.traces, ""));
  }
  if (!rows.attempts.empty()) {
    TG_TRY(session.insertMany(kAttemptHead, rows.attempts, ""));
  }
  return post(session, rows.transfers);
}

}  // namespace

base::Result<BookOutcome> writeCalls(sql::Session& session, const std::vector<const FinishedCall*>& calls) {
  const auto picked = pickRecords(calls);
  TG_TRY_ASSIGN(stored, readStored(session, picked));
  BookOutcome outcome;
  outcome.repeated = calls.size() - picked.size();
  CdrRows rows;
  std::set<base::CustomerId> customers;
  for (const auto& [id, call] : picked) {
    const base::CustomerId customer(call->record.customer_id());
    if (customer.isSet()) {
      customers.insert(customer);
    }
    const auto known = stored.find(id);
    const bool correction = known != stored.end();
    if (correction && (!known->second.lost || isLost(*call))) {
      ++outcome.repeated;
      continue;
    }
    const Price price = priceOf(call->record);
    rows.add(*call, price);
    const std::int64_t due = price.charge_micros - (correction ? known->second.charge_micros : 0);
    if (due != 0 && customer.isSet()) {
      rows.transfers.push_back(chargeOf(*call, price, due, correction));
    }
    if (correction) {
      rows.replaced.push_back(id);
      ++outcome.corrected;
    } else {
      ++(isLost(*call) ? outcome.lost : outcome.written);
    }
  }
  TG_TRY(insertRows(session, rows));
  TG_TRY_ASSIGN(sums, readSums(session, {customers.begin(), customers.end()}));
  outcome.sums = std::move(sums);
  return outcome;
}

base::Result<void> writeUnknownSources(sql::Session& session, const call::v1::UnknownSources& summary) {
  std::vector<SqlRow> rows;
  for (const call::v1::UnknownSource& source : summary.sources()) {
    rows.push_back({summary.header().call_id(), fit(source.address(), 45), static_cast<std::int64_t>(source.messages()),
                    sql::fromTime(fromWire(source.first_at())), sql::fromTime(fromWire(source.last_at()))});
  }
  if (rows.empty()) {
    return {};
  }
  TG_TRY(session.insertMany("unknown_sources (summary_id, address, messages, first_at, last_at)", rows,
                            "ON DUPLICATE KEY UPDATE summary_id = summary_id"));
  return {};
}

base::Result<void> writeDeadLetter(sql::Session& session, const DeadLetter& letter) {
  constexpr std::size_t kDataMax = 4U << 20U;  // twice as much in hex fits the column
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : letter.data.substr(0, kDataMax)) {
    hex.push_back(kHex[static_cast<unsigned char>(byte) >> 4U]);
    hex.push_back(kHex[static_cast<unsigned char>(byte) & 0xFU]);
  }
  TG_TRY(session.execute("INSERT INTO dead_letters (stream_sequence, subject, error, data_hex, at) VALUES (?, ?, ?, ?, ?)",
                         {static_cast<std::int64_t>(letter.stream_sequence), fit(letter.subject, 255), fit(letter.error, 255), hex,
                          sql::fromTime(base::SystemClock().wall())}));
  return {};
}

}  // namespace tollgate::billing
