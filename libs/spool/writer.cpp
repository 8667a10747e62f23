#include "libs/spool/writer.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "libs/telemetry/log.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;

// How often acknowledgements are taken when nothing else wakes the thread: cheaper than a wake for each.
constexpr std::chrono::milliseconds kAckPoll = 20ms;
constexpr std::chrono::milliseconds kIdle = 1s;
constexpr std::chrono::milliseconds kRemoveRetry = 1s;  // after the disk refused
constexpr std::chrono::milliseconds kOpenRetry = 1s;    // after the file could not be opened, made or replaced
constexpr std::chrono::milliseconds kSetAsideLook = 1s;

// Of lost records, in the log: more lines of one text a second would be suppressed.
constexpr std::size_t kIdsPerLine = 200;
constexpr std::size_t kIdLinesMax = 10;

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

void logUnopened(const base::Error& error) {
  telemetry::error("the spool's file cannot be opened or replaced, records are kept in memory only", {{"error", error.message}});
}

}  // namespace

RecordSpool::State::State(SpoolSettings the_settings, Publish the_publish, OnStored the_on_stored)
    : settings(std::move(the_settings)), publish(std::move(the_publish)), on_stored(std::move(the_on_stored)) {}

// A disk that is full or fails is no reason not to start: calls go on, and their records live in memory until there is a file.
base::Result<void> RecordSpool::State::openDirectory() {
  TG_TRY(lock_.take(settings.directory));
  if (const auto opened = openStoreNow(); !opened) {
    if (opened.error().code == base::ErrorCode::kConflict) {
      return opened;
    }
    logUnopened(opened.error());
  }
  if (set_aside_bytes > 0) {
    telemetry::warn("damaged files of the spool are kept: get back what they hold, then remove them",
                    {{"directory", settings.directory}, {"bytes", set_aside_bytes.load()}});
  }
  return {};
}

void RecordSpool::State::start() {
  worker_.start("spool", [this] { run(); });
}

base::Result<void> RecordSpool::State::append(std::unique_ptr<Record> record) {
  const std::int64_t bytes = sizeOf(*record);
  const std::int64_t on_disk = disk_bytes + queued_bytes + bytes;
  if (queued_bytes + unspooled_bytes + bytes > settings.memory_bytes_max || on_disk > settings.disk_bytes_max) {
    refused.fetch_add(1, std::memory_order_relaxed);
    return base::fail(base::ErrorCode::kOverLimit, "the spool of records is full");
  }
  if (on_disk + set_aside_bytes > 2 * settings.disk_bytes_max) {
    refused.fetch_add(1, std::memory_order_relaxed);
    return base::fail(
        base::ErrorCode::kOverLimit,
        "the spool of records is full of damaged files: get back what they hold, then remove damaged-* in " + settings.directory);
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
    openStoreDue(now);
    lookForSetAsideDue(now);
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
  if (!store_) {
    wake = std::min(wake, open_again_at_);
  }
  return wake;
}

void RecordSpool::State::finish() {
  reportLost();
  const auto waiting = std::count_if(entries_.begin(), entries_.end(),
                                     [](const Entry& entry) { return entry.progress != Progress::kStored && entry.row != 0; });
  if (waiting > 0 && !store_) {
    telemetry::error("records are left in a file that cannot be used now, the next start sends what can be read of it",
                     {{"records", waiting}});
  }
  // Closing the store copies its log into the file, so what is left has to be on disk first.
  if (store_ && !entries_.empty()) {
    static_cast<void>(store_->checkpoint(true));
  }
  store_.reset();
}

// Nothing else tells which calls have no record then.
void RecordSpool::State::reportLost() {
  std::vector<std::string> lines;
  for (const Entry& entry : entries_) {
    if (entry.progress == Progress::kStored || entry.row != 0) {
      continue;
    }
    const std::uint64_t number = lost++;
    if (number % kIdsPerLine == 0 && lines.size() < kIdLinesMax) {
      lines.emplace_back();
    }
    if (number < kIdsPerLine * kIdLinesMax) {
      lines.back() += (lines.back().empty() ? "" : " ") + entry.record->message_id;
    }
  }
  for (const std::string& ids : lines) {
    telemetry::error("records are lost: the disk refused them and the bus has not stored them",
                     {{"records", static_cast<std::int64_t>(lost.load())}, {"message_ids", ids}});
  }
}

void RecordSpool::State::addEntry(Entry entry) {
  memory_bytes_ += entry.record != nullptr ? entry.bytes : 0;
  limitMemory(entry);
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
    memory_only += written ? 0U : 1U;
    queued_bytes -= bytes;
    const std::int64_t row = written ? next_row_++ : 0;  // without a row: published all the same
    addEntry({row, bytes, Progress::kWaiting, false, std::move(record)});
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

void RecordSpool::State::openStoreDue(Time now) {
  if (!store_ && (now >= open_again_at_ || worker_.isStopping())) {
    openOrRetry();
  }
}

// An operator removes them at any time. New ones come with openStoreNow().
void RecordSpool::State::lookForSetAsideDue(Time now) {
  if (set_aside_bytes > 0 && now >= look_again_at_) {
    set_aside_bytes = setAsideBytes(settings.directory);
    look_again_at_ = now + kSetAsideLook;
  }
}

void RecordSpool::State::openOrRetry() {
  if (const auto opened = openStoreNow(); !opened) {
    logUnopened(opened.error());
  }
}

// Opens the file, or makes it, or replaces it when it is damaged. Afterwards there is a store, or it is tried again at open_again_at_.
base::Result<void> RecordSpool::State::openStoreNow() {
  auto opened = openStore(settings.directory, is_read_ ? 0 : settings.memory_bytes_max, is_damaged_);
  set_aside_bytes = setAsideBytes(settings.directory);
  if (!opened) {
    open_again_at_ = std::chrono::steady_clock::now() + kOpenRetry;
    return tl::unexpected(opened.error());
  }
  store_ = std::move(opened->store);
  is_damaged_ = false;
  damaged_files += opened->set_aside.empty() ? 0U : 1U;
  if (is_read_) {
    addLostRows(opened->rows);  // publishing counts those that nobody has any more
  } else {
    unreadable += opened->unreadable;
    addLeftRows(std::move(opened->rows));
  }
  is_read_ = true;
  return {};
}

// What an earlier process left.
void RecordSpool::State::addLeftRows(std::vector<StoredRow> rows) {
  if (rows.empty()) {
    return;
  }
  for (auto& row : rows) {
    disk_bytes += row.bytes;
    next_row_ = row.row + 1;
    addEntry({row.row, row.bytes, Progress::kWaiting, false, std::move(row.record)});
  }
  synced_end_ = end();  // may have been, so the store is treated as if it was
  replayed += rows.size();
  unsent += rows.size();
  telemetry::warn("records of an earlier run are sent now", {{"records", static_cast<std::int64_t>(rows.size())}});
}

// The readable records of a damaged file have moved to a new one under the same row numbers, so the entries stay valid. `rows` is what the
// new file has; of the others, it gets again those that memory has.
void RecordSpool::State::addLostRows(const std::vector<StoredRow>& rows) {
  std::unordered_set<std::int64_t> present;
  for (const auto& row : rows) {
    present.insert(row.row);
  }
  for (Entry& entry : entries_) {
    if (entry.row == 0 || entry.record == nullptr || present.contains(entry.row)) {
      continue;
    }
    const std::unique_ptr<Record> one[] = {std::make_unique<Record>(*entry.record)};
    if (!store_->write(entry.row, one, {})) {
      disk_bytes -= entry.bytes;
      unspooled_bytes += entry.bytes;
      ++memory_only;
      entry.row = 0;
    }
  }
  if (const auto synced = store_->sync(); !synced) {
    telemetry::error("the spool cannot force its file to the disk", {{"error", synced.error().message}});
  }
}

// The file was found damaged while it was used.
void RecordSpool::State::replaceStore() {
  store_->keepLog();
  store_.reset();
  is_damaged_ = true;
  openOrRetry();
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
