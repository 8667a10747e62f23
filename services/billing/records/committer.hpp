// The reader of the record stream that keeps the books, the consumer `billing`: it fetches a batch of records, commits it in one
// transaction to MySQL, settles it in Redis, and only then acknowledges the records.
//
// While MySQL does not store the batch it is repeated, nothing is acknowledged and nothing is fetched, so an outage needs no memory. A
// record that cannot be read, or stored for its own values, becomes a dead letter (REQUIREMENTS 10.7).
//
// Threads: addLost() and blockedBy() from any thread; start() and stop() from the main thread; one thread of its own does the rest. Owns:
// the fetched records that are not acknowledged.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/records.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/tables.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/record_writer.hpp"
#include "services/billing/records/settler.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

class Committer {
 public:
  struct Dependencies {
    bus::Connection& connection;
    const ConfigTables& tables;
    sql::Pool& pool;
    CreditStore& store;
    Settler& settler;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit Committer(Dependencies deps) : deps_(deps) {}
  ~Committer() { stop(); }
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // Errors: those of RecordFetcher::open().
  [[nodiscard]] base::Result<void> start();
  // Waits a second for settlements. What is left is not acknowledged, so the stream delivers it again.
  void stop();

  // A call whose ingress instance is lost, closed when its lease ended.
  void addLost(cdr::FinishedCall call);
  // The error with which MySQL has refused to store records for 10 s or longer. Any thread.
  [[nodiscard]] std::optional<std::string> blockedBy() const;

 private:
  // One thing to write.
  struct Item {
    std::optional<bus::Record> record;  // nullopt for a lost call
    std::optional<cdr::FinishedCall> call;
    std::optional<call::v1::UnknownSources> summary;
    std::optional<DeadLetter> dead_letter;  // written instead of call and summary
  };
  struct Blocked {
    std::chrono::steady_clock::time_point since;
    std::string error;
  };
  using Items = std::vector<Item>;

  using RecordKey = std::pair<std::uint64_t, std::uint64_t>;  // epoch and sequence
  [[nodiscard]] static RecordKey keyOf(const bus::Record& record);

  void run();
  [[nodiscard]] Items gather();
  [[nodiscard]] std::optional<Item> read(const bus::Record& record);  // nothing when there is nothing to write
  void commit(Items items);
  // False: stopping, or the batch was split and each part is done.
  [[nodiscard]] bool write(Items& items, WriteOutcome& outcome);
  void noteBlocked(const base::Error* error);  // nullptr = MySQL answers
  void splitOrDeadLetter(Items items, const base::Error& error);
  void setAside(const Item& item);
  void giveUpHold(const Item& item);
  void settle(Items items, const WriteOutcome& outcome);
  void acknowledge(const Items& items);
  [[nodiscard]] bool pauseBeforeRetry(int attempt);  // false = stopping

  // Passed in.
  const Dependencies deps_;
  // Owned.
  std::unique_ptr<bus::RecordFetcher> fetcher_;
  // Derived.
  mutable std::mutex mutex_;
  std::condition_variable all_acknowledged_;
  std::deque<Item> lost_;
  std::optional<Blocked> blocked_;
  std::set<RecordKey> unacknowledged_;
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
