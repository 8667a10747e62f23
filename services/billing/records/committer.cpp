#include "services/billing/records/committer.hpp"

#include <algorithm>
#include <memory>

#include "libs/base/ids.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/accounts/keys.hpp"
#include "services/billing/records/pricing.hpp"
#include "services/billing/records/record_reader.hpp"
#include "services/billing/records/slot_reader.hpp"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kIdle{100};
constexpr std::chrono::milliseconds kRetryMax{2000};
constexpr std::chrono::seconds kSettleOnStop{1};
constexpr int kConflictsMax = 5;
constexpr std::size_t kUnsettledBatches = 8;

constexpr std::chrono::seconds kBlockedLong{10};

DeadLetter makeDeadLetter(const bus::Record& record, std::string error) {
  return DeadLetter{record.streamSequence(), std::string(record.subject()), std::move(error), std::string(record.data())};
}

// A call that was closed as lost has no record in the stream: the letter has the one that its ingress would have sent.
DeadLetter makeDeadLetter(const cdr::FinishedCall& call, std::string error) {
  call::v1::CallEnded ended;
  *ended.mutable_header() = call.header;
  *ended.mutable_record() = call.record;
  return DeadLetter{0, bus::subjects::callEvent("ended", base::TrunkId(call.record.trunk_id())), std::move(error),
                    ended.SerializeAsString()};
}

// The same values fail for ever. With every other error somebody can mend what is wrong, and the records wait (REQUIREMENTS 10.7).
bool isOfTheValues(base::ErrorCode code) {
  return code == base::ErrorCode::kInvalid || code == base::ErrorCode::kConflict;
}

}  // namespace

base::Result<void> Committer::start() {
  TG_TRY_ASSIGN(fetcher, bus::RecordFetcher::open(deps_.connection, deps_.settings.stream.ack_wait));
  fetcher_ = std::move(fetcher);
  worker_.start("committer", [this] { run(); });
  return {};
}

void Committer::stop() {
  if (worker_.isStopping() || !fetcher_) {
    return;
  }
  fetcher_->interrupt();
  worker_.stop();
  std::unique_lock lock(mutex_);
  all_acknowledged_.wait_for(lock, kSettleOnStop, [this] { return unacknowledged_.empty(); });
}

void Committer::addLost(cdr::FinishedCall call) {
  if (const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current()) {
    addVendorRate(*snapshot, call.record);
  }
  Item item;
  item.call = std::move(call);
  const std::lock_guard lock(mutex_);
  lost_.push_back(std::move(item));
}

void Committer::run() {
  while (!worker_.isStopping()) {
    Items items = gather();
    if (!items.empty()) {
      commit(std::move(items));
    }
    deps_.settler.tick();
  }
  // What was fetched and is not written is not acknowledged, so it will be delivered again.
}

Committer::Items Committer::gather() {
  const auto batch_max = static_cast<std::size_t>(deps_.settings.batch_max);
  Items items;
  std::size_t unsettled = 0;
  {
    const std::lock_guard lock(mutex_);
    for (; !lost_.empty() && items.size() < batch_max; lost_.pop_front()) {
      items.push_back(std::move(lost_.front()));
    }
    unsettled = unacknowledged_.size();
  }
  if (unsettled >= kUnsettledBatches * batch_max) {
    // Redis does not take the settlements. The records that wait for it bound the memory.
    static_cast<void>(worker_.pauseFor(kIdle));
    return items;
  }
  const auto idle = items.empty() ? kIdle : std::chrono::milliseconds(0);
  for (const bus::Record& record : fetcher_->fetch(batch_max, deps_.settings.batch_wait, idle)) {
    if (auto item = read(record)) {
      items.push_back(std::move(*item));
    }
  }
  return items;
}

std::optional<Committer::Item> Committer::read(const bus::Record& record) {
  {
    // The stream has delivered it again while the first delivery waits for its settlement: ignore the second.
    const std::lock_guard lock(mutex_);
    if (unacknowledged_.contains(keyOf(record))) {
      return std::nullopt;
    }
  }
  Item item;
  item.record = record;
  item.call = readFinished(record);
  item.summary = readUnknownSources(record);
  if (!item.call && !item.summary) {
    if (readAnswered(record)) {  // the reader of slots has use for it
      record.ack();
      return std::nullopt;
    }
    item.dead_letter = makeDeadLetter(record, "cannot be read as a record of its subject");
  }
  const std::lock_guard lock(mutex_);
  unacknowledged_.insert(keyOf(record));
  deps_.metrics.records_unacknowledged.set(static_cast<double>(unacknowledged_.size()));
  return item;
}

Committer::RecordKey Committer::keyOf(const bus::Record& record) {
  return {record.epoch(), record.streamSequence()};
}

void Committer::commit(Items items) {
  const auto began = std::chrono::steady_clock::now();
  WriteOutcome outcome;
  if (!write(items, outcome)) {
    return;
  }
  deps_.metrics.commit_seconds.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  deps_.metrics.cdrs_written.add(static_cast<double>(outcome.written));
  deps_.metrics.cdrs_repeated.add(static_cast<double>(outcome.repeated));
  deps_.metrics.cdrs_corrected.add(static_cast<double>(outcome.corrected));
  deps_.metrics.cdrs_lost.add(static_cast<double>(outcome.lost));
  settle(std::move(items), outcome);
}

bool Committer::write(Items& items, WriteOutcome& outcome) {
  std::vector<const cdr::FinishedCall*> calls;
  for (const Item& item : items) {
    if (item.call && !item.dead_letter) {
      calls.push_back(&*item.call);
    }
  }
  for (int attempt = 0, conflicts = 0;; ++attempt) {
    auto written = deps_.pool.transaction<WriteOutcome>([&](sql::Session& session) -> base::Result<WriteOutcome> {
      for (const Item& item : items) {
        if (item.summary && !item.dead_letter) {
          TG_TRY(writeUnknownSources(session, *item.summary));
        }
        if (item.dead_letter) {
          TG_TRY(writeDeadLetter(session, *item.dead_letter));
        }
      }
      return writeCalls(session, calls);
    });
    if (written) {
      noteBlocked(nullptr);
      outcome = std::move(*written);
      return true;
    }
    deps_.metrics.commits_failed.add();
    const base::ErrorCode code = written.error().code;
    if (code == base::ErrorCode::kConflict && ++conflicts < kConflictsMax) {
      // Another replica wrote one of the calls meanwhile; the next try sees it.
      continue;
    }
    if (isOfTheValues(code)) {
      noteBlocked(nullptr);
      splitOrDeadLetter(std::move(items), written.error());
      return false;
    }
    noteBlocked(&written.error());
    telemetry::error("records not committed, the batch will be repeated",
                     {{"records", static_cast<std::int64_t>(items.size())}, {"error", written.error().message}});
    if (!pauseBeforeRetry(attempt)) {
      return false;
    }
  }
}

void Committer::noteBlocked(const base::Error* error) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (error == nullptr) {
    blocked_.reset();
  } else if (blocked_) {
    blocked_->error = error->message;
  } else {
    blocked_ = Blocked{now, error->message};
  }
  deps_.metrics.commit_blocked_seconds.set(blocked_ ? std::chrono::duration<double>(now - blocked_->since).count() : 0);
}

std::optional<std::string> Committer::blockedBy() const {
  const std::lock_guard lock(mutex_);
  if (!blocked_ || std::chrono::steady_clock::now() - blocked_->since < kBlockedLong) {
    return std::nullopt;
  }
  return blocked_->error;
}

// One bad record must not delay the others: the batch is halved until the bad record is alone, and it becomes a dead letter.
void Committer::splitOrDeadLetter(Items items, const base::Error& error) {
  if (items.size() > 1) {
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    Items right(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
    items.erase(middle, items.end());
    commit(std::move(items));
    commit(std::move(right));
    return;
  }
  Item& item = items.front();
  telemetry::error(item.dead_letter ? "dead letter cannot be stored, its record will come again" : "record cannot be stored",
                   {{"call_id", item.call ? std::string_view(item.call->header.call_id()) : ""},
                    {"stream_sequence", item.record ? static_cast<std::int64_t>(item.record->streamSequence()) : 0},
                    {"error", error.message}});
  if (item.dead_letter) {
    setAside(item);
    return;
  }
  item.dead_letter = item.record ? makeDeadLetter(*item.record, error.message) : makeDeadLetter(*item.call, error.message);
  commit(std::move(items));
}

// It is stored nowhere, so it is not acknowledged: the stream delivers it again. A lost call still has its hold, so the sweeper finds it
// again.
void Committer::setAside(const Item& item) {
  const std::lock_guard lock(mutex_);
  if (item.record) {
    unacknowledged_.erase(keyOf(*item.record));
  }
}

// The ledger will not get the charge of a dead letter, so nothing stays held.
void Committer::giveUpHold(const Item& item) {
  if (item.call && item.call->record.customer_id() != 0) {
    const call::v1::CallRecord& record = item.call->record;
    deps_.store.release({.call = item.call->header.call_id(),
                         .customer = base::CustomerId(record.customer_id()),
                         .trunk = base::TrunkId(record.trunk_id())});
  }
}

bool Committer::pauseBeforeRetry(int attempt) {
  const auto pause = std::min(kRetryMax, std::chrono::milliseconds(50LL << std::min(attempt, 6)));
  // Settlements of earlier batches are repeated meanwhile.
  deps_.settler.tick();
  return worker_.pauseFor(pause);
}

void Committer::settle(Items items, const WriteOutcome& outcome) {
  std::map<base::CustomerId, Items> by_customer;
  Items others;
  for (Item& item : items) {
    if (item.dead_letter) {
      deps_.metrics.dead_letters.add();
      giveUpHold(item);
    }
    const base::CustomerId customer(item.call && !item.dead_letter ? item.call->record.customer_id() : 0);
    (customer.isSet() ? by_customer[customer] : others).push_back(std::move(item));
  }
  acknowledge(others);
  for (auto& [customer, own] : by_customer) {
    SettleOrder order;
    order.customer = customer;
    if (const auto sum = outcome.sums.find(customer); sum != outcome.sums.end()) {
      order.posted_micros = sum->second.balance_micros;
      order.version = sum->second.version;
    }
    std::vector<std::string> leases;
    for (const Item& item : own) {
      order.calls.push_back({item.call->header.call_id(), base::TrunkId(item.call->record.trunk_id())});
      leases.push_back(keys::leaseMember(customer, item.call->header.call_id()));
    }
    // Shared with the completion, which acknowledges.
    auto settled = std::make_shared<Items>(std::move(own));
    deps_.settler.settle(std::move(order), [this, settled, leases = std::move(leases)] {
      deps_.store.removeLeases(leases);
      for (const Item& item : *settled) {
        // An occupy that another replica had under way may have been executed after the slots were freed. Redis has answered since.
        const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
        if (snapshot && item.call->record.asked_trunk_ids_size() != 0) {
          for (const ReleaseOrder::CarrierSlot& slot : carrierSlots(*snapshot, item.call->record)) {
            deps_.store.vacate(item.call->header.call_id(), slot.carrier, slot.trunk);
          }
        }
      }
      acknowledge(*settled);
    });
  }
}

void Committer::acknowledge(const Items& items) {
  const std::lock_guard lock(mutex_);
  for (const Item& item : items) {
    if (item.record) {
      item.record->ack();
      unacknowledged_.erase(keyOf(*item.record));
    }
  }
  deps_.metrics.records_unacknowledged.set(static_cast<double>(unacknowledged_.size()));
  all_acknowledged_.notify_all();
}

}  // namespace tollgate::billing
