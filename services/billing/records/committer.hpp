// From records to the books: takes finished calls, frees their slots at once, gathers up to a batch, commits it in one transaction, settles
// in Redis, and only then acknowledges. take() and addLost() from any thread; one thread of its own does the rest.
//
// MySQL away: the batch is tried again until it is back; nothing is acknowledged, and the stream stops delivering at its limit of
// unacknowledged records, which bounds the memory here. A record that cannot be read or stored goes to dead_letters.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "libs/bus/records.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/snapshot.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/record_writer.hpp"
#include "services/billing/records/settler.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

class Committer {
 public:
  struct Parts {
    const SnapshotHolder& snapshots;
    sql::Pool& pool;
    CreditStore& store;
    Settler& settler;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit Committer(Parts parts) : parts_(parts) {}
  ~Committer() { stop(); }
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void start();
  // Commits what it has if the database answers, waits shortly for the settlements; the rest is delivered again.
  void stop();

  void take(bus::Record record);
  // A call closed by its lease.
  void addLost(cdr::FinishedCall call);

 private:
  // One thing to write down: exactly one of the three is set.
  struct Item {
    std::optional<bus::Record> record;  // nothing for a lost call
    std::optional<cdr::FinishedCall> call;
    std::optional<call::v1::UnknownSources> summary;
    std::optional<DeadLetter> dead;
  };
  using Items = std::vector<Item>;

  [[nodiscard]] std::optional<Item> read(const bus::Record& record);
  void freeSlots(const cdr::FinishedCall& call);
  void push(Item item);
  void run();
  [[nodiscard]] Items gather();
  void commit(Items items);
  // Whether the batch was written; false = stopping, or it has been taken care of in parts.
  [[nodiscard]] bool write(Items& items, WriteOutcome& outcome);
  void splitOrDeadLetter(Items items, const base::Error& error);
  void settle(Items items, const WriteOutcome& outcome);
  void acknowledge(const Items& items);
  [[nodiscard]] bool pauseBeforeRetry(int attempt);  // false = stopping

  // Passed in.
  const Parts parts_;
  // Owned.
  std::thread thread_;
  // Derived.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::unordered_set<std::uint64_t> in_hand_;  // stream sequences taken and not acknowledged
  bool stopping_ = false;
};

}  // namespace tollgate::billing
