// The part of the spool's thread that publishes: what is in flight, retries, acknowledgements, and reading back what memory does not have.
#include <algorithm>
#include <utility>

#include "libs/spool/writer.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;

// How long acknowledged records stay in the store while nothing is written that could take their removal along. A process killed meanwhile
// publishes them again, which the stream recognises by their ids.
constexpr std::chrono::milliseconds kRemoveDelay = 100ms;

}  // namespace

void RecordSpool::State::takeOutcomes(const std::vector<Outcome>& outcomes, Time now) {
  for (const auto& outcome : outcomes) {
    --in_flight_;
    Entry& entry = entryOf(outcome.sequence);
    if (outcome.is_stored) {
      if (removable_rows_.empty()) {
        remove_at_ = now + kRemoveDelay;
      }
      noteStored(entry);
      continue;
    }
    entry.progress = Progress::kWaiting;
    limitMemory(entry);
    retries_.push_back({now + settings.retry_delay, outcome.sequence});
    if (outcome.error == base::ErrorCode::kUnavailable || outcome.error == base::ErrorCode::kTimeout) {
      paused_until_ = now + settings.retry_delay;  // the bus is away: the others would fail as well
    } else {
      telemetry::error("the bus does not take a record", {{"error", base::errorCodeName(outcome.error)}});
    }
  }
  if (!outcomes.empty()) {
    dropFinished();
  }
}

void RecordSpool::State::noteStored(Entry& entry) {
  const std::string message_id = std::move(entry.record->message_id);
  forget(entry);
  stored.fetch_add(1, std::memory_order_relaxed);
  if (on_stored) {
    on_stored(message_id);
  }
}

// The entry needs neither memory nor disk any more.
void RecordSpool::State::forget(Entry& entry) {
  if (entry.record != nullptr) {
    memory_bytes_ -= entry.bytes;
    entry.record.reset();
  }
  if (entry.row != 0) {
    removable_rows_.push_back(entry.row);
    removable_bytes_ += entry.bytes;
  } else {
    unspooled_bytes -= entry.bytes;
    --memory_only;
  }
  entry.progress = Progress::kStored;
  unsent.fetch_sub(1, std::memory_order_relaxed);
}

void RecordSpool::State::dropFinished() {
  while (!entries_.empty() && entries_.front().progress == Progress::kStored) {
    entries_.pop_front();
    ++first_;
  }
  next_ = std::max(next_, first_);
  if (unsent == 0) {
    const std::lock_guard lock(mutex_);
    all_stored_.notify_all();
  }
}

void RecordSpool::State::publishDue(Time now) {
  if (now < paused_until_) {
    return;
  }
  const std::uint64_t unreadable_before = unreadable;
  while (in_flight_ < settings.in_flight_max) {
    if (!retries_.empty() && retries_.front().at <= now) {
      const std::uint64_t sequence = retries_.front().sequence;
      retries_.pop_front();
      publishOne(sequence, now);
    } else if (next_ < end()) {
      publishOne(next_++, now);
    } else {
      break;
    }
  }
  if (unreadable != unreadable_before) {
    dropFinished();
  }
}

void RecordSpool::State::publishOne(std::uint64_t sequence, Time now) {
  Entry& entry = entryOf(sequence);
  if (entry.record == nullptr) {
    auto read = now >= read_again_at_ ? readRow(entry.row) : base::fail(base::ErrorCode::kUnavailable, "");
    if (read) {
      keepInMemory(entry, std::make_unique<Record>(std::move(*read)));
    } else if (read.error().code == base::ErrorCode::kNotFound || read.error().code == base::ErrorCode::kInvalid) {
      telemetry::error("a spooled record cannot be read", {{"row", entry.row}, {"error", read.error().message}});
      giveUp(entry);
      return;
    } else {
      // Until the file is replaced, or the disk works again. The others are not tried in vain meanwhile.
      if (now >= read_again_at_) {
        telemetry::error("the disk does not give a spooled record back", {{"row", entry.row}, {"error", read.error().message}});
        read_again_at_ = now + settings.retry_delay;
      }
      retries_.push_back({now + settings.retry_delay, sequence});
      return;
    }
  }
  resent.fetch_add(entry.is_resend ? 1 : 0, std::memory_order_relaxed);
  entry.is_resend = true;
  ++in_flight_;
  entry.progress = Progress::kInFlight;
  publish(entry.record->subject, entry.record->message_id, entry.record->data,
          [state = shared_from_this(), sequence](const base::Result<std::uint64_t>& result) {
            state->onPublished(sequence, result ? base::ErrorCode::kInternal : result.error().code, result.has_value());
          });
}

// The file was checked when it was opened, so a record that is not what was written is damage since then: a new file takes over what can be
// read, and this record may be among it.
// Errors: as RecordStore::read(), kInvalid only when the new file does not have it either; kUnavailable: there is no store now.
base::Result<Record> RecordSpool::State::readRow(std::int64_t row) {
  for (bool is_first = true;; is_first = false) {
    if (!store_) {
      return base::fail(base::ErrorCode::kUnavailable, "there is no file to read from");
    }
    auto record = store_->read(row);
    if (record || record.error().code != base::ErrorCode::kInvalid || !is_first) {
      return record;
    }
    replaceStore();
  }
}

// The record is lost. Nothing waits for it any more.
void RecordSpool::State::giveUp(Entry& entry) {
  ++unreadable;
  disk_bytes -= entry.bytes;
  entry.progress = Progress::kStored;
  unsent.fetch_sub(1, std::memory_order_relaxed);
}

// While it is in flight a record is kept beyond memory_bytes_max: the publisher holds it as well.
void RecordSpool::State::keepInMemory(Entry& entry, std::unique_ptr<Record> record) {
  entry.record = std::move(record);
  memory_bytes_ += entry.bytes;
}

// A record that only memory has must stay there.
void RecordSpool::State::limitMemory(Entry& entry) {
  if (entry.record != nullptr && entry.row != 0 && memory_bytes_ > settings.memory_bytes_max) {
    entry.record.reset();
    memory_bytes_ -= entry.bytes;
  }
}

}  // namespace tollgate::spool
