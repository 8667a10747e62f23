#include "libs/spool/writer.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "libs/telemetry/log.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;

// How often acknowledgements are taken when nothing else wakes the thread: cheaper than a wake for each.
constexpr std::chrono::milliseconds kAckPoll = 20ms;
constexpr std::chrono::milliseconds kIdle = 1s;
// How long acknowledged records stay in the store while nothing is written that could take their removal along. A process killed meanwhile
// publishes them again, which the stream recognises by their ids.
constexpr std::chrono::milliseconds kRemoveDelay = 100ms;
constexpr std::chrono::milliseconds kRemoveRetry = 1s;  // after the disk refused

std::vector<RowRange> rangesOf(std::vector<std::int64_t>& rows) {
  std::sort(rows.begin(), rows.end());
  std::vector<RowRange> ranges;
  for (const std::int64_t row : rows) {
    if (!ranges.empty() && ranges.back().last + 1 == row) {
      ranges.back().last = row;
    } else {
      ranges.push_back({row, row});
    }
  }
  return ranges;
}

}  // namespace

FileHandle::~FileHandle() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

RecordSpool::State::State(SpoolSettings the_settings, Publish the_publish, OnStored the_on_stored)
    : settings(std::move(the_settings)), publish(std::move(the_publish)), on_stored(std::move(the_on_stored)) {}

// SQLite locks its file as well, but a file that is set aside takes that lock with it.
base::Result<void> RecordSpool::State::lockDirectory() {
  std::error_code error;
  std::filesystem::create_directories(settings.directory, error);
  const std::filesystem::path path = std::filesystem::path(settings.directory) / "lock";
  lock_.open(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock_.get() < 0) {
    return base::fail(base::ErrorCode::kInternal, "the spool directory " + settings.directory + " cannot be used");
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return base::fail(base::ErrorCode::kConflict, "the spool directory " + settings.directory + " is used by another process");
  }
  return {};
}

base::Result<void> RecordSpool::State::readDirectory() {
  TG_TRY_ASSIGN(opened, openStore(settings.directory, settings.memory_bytes_max));
  store_ = std::move(opened.store);
  damaged_files += opened.set_aside.empty() ? 0U : 1U;
  unreadable += opened.unreadable;
  replayed += opened.rows.size();
  unsent += opened.rows.size();
  for (auto& row : opened.rows) {
    disk_bytes += row.bytes;
    next_row_ = row.row + 1;
    addEntry({row.row, row.bytes, Progress::kWaiting, std::move(row.record)});
  }
  synced_end_ = end();  // may have been, so the store is treated as if it was
  if (replayed > 0) {
    telemetry::warn("records of an earlier run are sent now", {{"records", static_cast<std::int64_t>(replayed.load())}});
  }
  return {};
}

void RecordSpool::State::start() {
  worker_.start("spool", [this] { run(); });
}

base::Result<void> RecordSpool::State::append(std::unique_ptr<Record> record) {
  const std::int64_t bytes = sizeOf(*record);
  if (queued_bytes + unspooled_bytes + bytes > settings.memory_bytes_max || disk_bytes + queued_bytes + bytes > settings.disk_bytes_max) {
    refused.fetch_add(1, std::memory_order_relaxed);
    return base::fail(base::ErrorCode::kOverLimit, "the spool of records is full");
  }
  queued_bytes += bytes;
  unsent.fetch_add(1, std::memory_order_relaxed);
  appended.fetch_add(1, std::memory_order_relaxed);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = queue_.empty();
    queue_.push_back(std::move(record));
  }
  if (was_empty) {
    worker_.wake();
  }
  return {};
}

void RecordSpool::State::onPublished(std::uint64_t sequence, base::ErrorCode error, bool is_stored) {
  {
    const std::lock_guard lock(mutex_);
    outcomes_.push_back({sequence, is_stored, error});
  }
  if (is_window_full_.exchange(false)) {
    worker_.wake();
  }
}

void RecordSpool::State::stop() {
  worker_.stop();
}

bool RecordSpool::State::waitUntilStored(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return all_stored_.wait_for(lock, timeout, [this] { return unsent == 0; });
}

void RecordSpool::State::run() {
  for (bool goes_on = true; goes_on;) {
    waitForWork();
    goes_on = !worker_.isStopping();
    std::vector<std::unique_ptr<Record>> batch;
    std::vector<Outcome> outcomes;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(queue_);
      outcomes.swap(outcomes_);
    }
    const Time now = std::chrono::steady_clock::now();
    takeOutcomes(outcomes, now);
    writeDue(std::move(batch), now);
    if (goes_on) {
      publishDue(now);
      syncDue(now);
      checkpointDue();
    }
    // Only while the window is full does an acknowledgement wake this thread. One that arrives before the flag is set is found by
    // waitForWork(), which looks at the inbox after it.
    is_window_full_ = in_flight_ >= settings.in_flight_max;
    wake_at_ = nextWake(now);
  }
  finish();
}

// While records come fast, the first waits for others, and one transaction takes them all.
void RecordSpool::State::waitForWork() {
  bool has_outcomes = false;
  {
    const std::lock_guard lock(mutex_);
    has_outcomes = is_window_full_ && !outcomes_.empty();
  }
  if (!has_outcomes && !worker_.waitUntil(wake_at_)) {
    return;
  }
  bool has_records = false;
  {
    const std::lock_guard lock(mutex_);
    has_records = !queue_.empty();
  }
  if (has_records && std::chrono::steady_clock::now() < last_batch_ + 2 * settings.linger) {
    static_cast<void>(worker_.pauseUntil(last_batch_ + settings.linger));
  }
}

Time RecordSpool::State::nextWake(Time now) const {
  Time wake = now + (in_flight_ > 0 ? kAckPoll : kIdle);
  const bool has_room = in_flight_ < settings.in_flight_max;
  if (has_room && next_ < end()) {
    wake = std::min(wake, std::max(now, paused_until_));
  }
  if (has_room && !retries_.empty()) {
    wake = std::min(wake, std::max(retries_.front().at, paused_until_));
  }
  if (!marks_.empty()) {
    wake = std::min(wake, marks_.front().at + settings.sync_interval);
  }
  if (!removable_rows_.empty()) {
    wake = std::min(wake, remove_at_);
  }
  return wake;
}

void RecordSpool::State::finish() {
  std::int64_t lost = 0;
  for (const Entry& entry : entries_) {
    lost += entry.progress != Progress::kStored && entry.row == 0 ? 1 : 0;
  }
  if (lost > 0) {
    telemetry::error("records are lost: the disk refused them and the bus has not stored them", {{"records", lost}});
  }
  // Closing the store copies its log into the file, so what is left has to be on disk first.
  if (store_ && !entries_.empty()) {
    static_cast<void>(store_->checkpoint(true));
  }
  store_.reset();
}

void RecordSpool::State::addEntry(Entry entry) {
  if (entry.record != nullptr) {
    // A record that only memory has must stay there.
    if (entry.row != 0 && memory_bytes_ + entry.bytes > settings.memory_bytes_max) {
      entry.record.reset();
    } else {
      memory_bytes_ += entry.bytes;
    }
  }
  entries_.push_back(std::move(entry));
}

void RecordSpool::State::writeDue(std::vector<std::unique_ptr<Record>> batch, Time now) {
  const bool is_removal_due = !removable_rows_.empty() && (now >= remove_at_ || worker_.isStopping());
  if (batch.empty() && !is_removal_due) {
    return;
  }
  const auto written = writeToStore(batch);
  if (!written) {
    remove_at_ = now + kRemoveRetry;
    telemetry::error("the spool cannot write to the disk",
                     {{"records", static_cast<std::int64_t>(batch.size())}, {"error", written.error().message}});
  }
  if (batch.empty()) {
    // Nobody waits now. A switch that is never quiet keeps a large file and uses its pages again.
    if (written && store_ && disk_bytes == 0) {
      static_cast<void>(store_->giveSpaceBack());
    }
    return;
  }
  write_failures += written ? 0U : 1U;
  last_batch_ = now;
  for (auto& record : batch) {
    const std::int64_t bytes = sizeOf(*record);
    (written ? disk_bytes : unspooled_bytes) += bytes;
    queued_bytes -= bytes;
    addEntry({written ? next_row_++ : 0, bytes, Progress::kWaiting, std::move(record)});  // without a row: published all the same
  }
  if (written) {
    marks_.push_back({now, end()});
  }
}

base::Result<void> RecordSpool::State::writeToStore(const std::vector<std::unique_ptr<Record>>& batch) {
  if (!store_) {
    return base::fail(base::ErrorCode::kInternal, "there is no file to write to");
  }
  auto written = store_->write(next_row_, batch, rangesOf(removable_rows_));
  if (!written && written.error().code == base::ErrorCode::kInvalid) {
    replaceStore();
    if (store_) {
      written = store_->write(next_row_, batch, rangesOf(removable_rows_));
    }
  }
  if (!written) {
    // On a full disk the log may still have room: once it is copied it is used from its beginning.
    if (store_) {
      static_cast<void>(store_->checkpoint(true));
    }
    return written;
  }
  disk_bytes -= removable_bytes_;
  removable_bytes_ = 0;
  removable_rows_.clear();
  return written;
}

// The file was found damaged while it was used. Its readable records move to a new file under the same row numbers, so the entries stay
// valid.
void RecordSpool::State::replaceStore() {
  store_->keepLog();
  store_.reset();
  auto opened = openStore(settings.directory, 0, true);
  ++damaged_files;
  if (!opened) {
    telemetry::error("the spool's damaged file cannot be replaced, records are kept in memory only", {{"error", opened.error().message}});
    return;
  }
  store_ = std::move(opened->store);
  std::unordered_set<std::int64_t> rows;
  for (const auto& row : opened->rows) {
    rows.insert(row.row);
  }
  for (Entry& entry : entries_) {
    if (entry.row == 0 || entry.progress == Progress::kStored || rows.contains(entry.row)) {
      continue;
    }
    if (entry.record == nullptr) {
      continue;  // publishOne() finds that it cannot be read
    }
    const std::unique_ptr<Record> one[] = {std::make_unique<Record>(*entry.record)};
    if (!store_->write(entry.row, one, {})) {
      disk_bytes -= entry.bytes;
      unspooled_bytes += entry.bytes;
      entry.row = 0;
    }
  }
}

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
  std::string message_id;
  if (entry.record != nullptr) {
    message_id = std::move(entry.record->message_id);
  } else if (const auto record = store_ ? store_->read(entry.row) : base::fail(base::ErrorCode::kNotFound, "")) {
    message_id = record->message_id;
  }
  forget(entry);
  stored.fetch_add(1, std::memory_order_relaxed);
  if (on_stored && !message_id.empty()) {
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
      resent.fetch_add(1, std::memory_order_relaxed);
      publishOne(sequence);
    } else if (next_ < end()) {
      publishOne(next_++);
    } else {
      break;
    }
  }
  if (unreadable != unreadable_before) {
    dropFinished();
  }
}

void RecordSpool::State::publishOne(std::uint64_t sequence) {
  Entry& entry = entryOf(sequence);
  Record from_disk;
  const Record* record = entry.record.get();
  if (record == nullptr) {
    auto read = store_ ? store_->read(entry.row) : base::fail(base::ErrorCode::kInternal, "there is no file to read from");
    if (!read) {
      // It is checked when the spool is opened, so this is damage since then. The row stays in the file for the next open() to find.
      telemetry::error("a spooled record cannot be read", {{"row", entry.row}, {"error", read.error().message}});
      ++unreadable;
      entry.progress = Progress::kStored;
      unsent.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    from_disk = std::move(*read);
    record = &from_disk;
  }
  ++in_flight_;
  entry.progress = Progress::kInFlight;
  publish(record->subject, record->message_id, record->data,
          [state = shared_from_this(), sequence](const base::Result<std::uint64_t>& result) {
            state->onPublished(sequence, result ? base::ErrorCode::kInternal : result.error().code, result.has_value());
          });
}

// Forces to disk what is not acknowledged sync_interval after it was written. While the bus answers quickly that is nothing at all.
void RecordSpool::State::syncDue(Time now) {
  std::uint64_t due = 0;
  while (!marks_.empty() && marks_.front().at + settings.sync_interval <= now) {
    due = marks_.front().end;
    marks_.pop_front();
  }
  bool is_wanted = false;
  for (std::uint64_t sequence = std::max(first_, synced_end_); sequence < due && !is_wanted; ++sequence) {
    is_wanted = entryOf(sequence).progress != Progress::kStored;
  }
  if (!is_wanted || !store_) {
    return;
  }
  if (const auto synced = store_->sync(); !synced) {
    telemetry::error("the spool cannot force its file to the disk", {{"error", synced.error().message}});
    return;
  }
  synced_end_ = end();
  marks_.clear();
}

void RecordSpool::State::checkpointDue() {
  if (!store_ || !store_->isCheckpointDue()) {
    return;
  }
  // Records that were never forced to disk have not been promised to survive a power failure.
  const bool is_durable = first_ < synced_end_;
  if (const auto copied = store_->checkpoint(is_durable); !copied) {
    telemetry::error("the spool's log cannot be copied into its file", {{"error", copied.error().message}});
  }
}

}  // namespace tollgate::spool
