#include "libs/spool/writer.hpp"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "libs/telemetry/log.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;

// How often acknowledgements are looked at when nothing else wakes the thread: cheaper than a wake for each.
constexpr std::chrono::milliseconds kAckPoll = 20ms;
constexpr std::chrono::milliseconds kIdle = 1s;

std::int64_t sizeOf(const std::string& text) {
  return static_cast<std::int64_t>(text.size());
}

}  // namespace

RecordSpool::State::State(SpoolSettings the_settings, Publish the_publish, OnStored the_on_stored)
    : settings(std::move(the_settings)), publish(std::move(the_publish)), on_stored(std::move(the_on_stored)) {}

base::Result<void> RecordSpool::State::lockDirectory() {
  std::error_code error;
  std::filesystem::create_directories(settings.directory, error);
  const std::filesystem::path path = std::filesystem::path(settings.directory) / "lock";
  lock_ = FileHandle(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_.isOpen()) {
    return base::fail(base::ErrorCode::kInternal, "the spool directory " + settings.directory + " cannot be used");
  }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return base::fail(base::ErrorCode::kConflict, "the spool directory " + settings.directory + " is used by another process");
  }
  return {};
}

base::Result<void> RecordSpool::State::readDirectory() {
  for (const std::uint64_t number : Segment::list(settings.directory)) {
    std::vector<Segment::Frame> frames;
    TG_TRY_ASSIGN(segment, Segment::reopen(settings.directory, number, frames));
    last_number_ = number;
    torn_bytes += static_cast<std::uint64_t>(segment->tornBytes());
    if (frames.empty()) {
      segment->remove();
      continue;
    }
    disk_bytes += segment->bytes();
    for (const auto& frame : frames) {
      addEntry({number, frame, Progress::kWaiting, {}});
    }
    replayed += frames.size();
    segments_.emplace(number, std::move(segment));
  }
  synced_end_ = end();
  if (replayed > 0) {
    telemetry::warn("records of an earlier run are sent now", {{"records", static_cast<std::int64_t>(replayed.load())},
                                                               {"torn_bytes", static_cast<std::int64_t>(torn_bytes.load())}});
  }
  return {};
}

base::Result<void> RecordSpool::State::append(const RecordView& record) {
  std::string payload = makePayload(record);
  const std::int64_t bytes = sizeOf(payload);
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
    queue_.push_back(std::move(payload));
  }
  if (was_empty) {
    wake_.notify_one();
  }
  return {};
}

void RecordSpool::State::onPublished(std::uint64_t sequence, base::ErrorCode error, bool is_stored) {
  const std::lock_guard lock(mutex_);
  outcomes_.push_back({sequence, is_stored, error});
  if (window_full_.exchange(false, std::memory_order_relaxed)) {
    wake_.notify_one();
  }
}

void RecordSpool::State::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

bool RecordSpool::State::waitUntilStored(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return all_stored_.wait_for(lock, timeout, [this] { return unsent == 0; });
}

void RecordSpool::State::run() {
  bool last_turn = false;
  bool urgent = false;  // outcomes free the window
  Time last_batch{};
  Time wake_at = std::chrono::steady_clock::now();
  while (!last_turn) {
    std::vector<std::string> payloads;
    std::vector<Outcome> outcomes;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, wake_at, [&] { return !queue_.empty() || stopping_ || (urgent && !outcomes_.empty()); });
      if (!queue_.empty() && std::chrono::steady_clock::now() < last_batch + 2 * settings.linger) {
        wake_.wait_until(lock, last_batch + settings.linger, [this] { return stopping_; });
      }
      payloads.swap(queue_);
      outcomes.swap(outcomes_);
      last_turn = stopping_;
    }
    const Time now = std::chrono::steady_clock::now();
    takeOutcomes(outcomes, now);
    if (!payloads.empty()) {
      last_batch = now;
      writeBatch(std::move(payloads), now);
    }
    if (!last_turn) {
      publishDue(now);
    }
    removeFinishedSegments();
    syncDue(now);
    urgent = in_flight_ >= settings.in_flight_max;
    window_full_.store(urgent, std::memory_order_relaxed);
    wake_at = nextWake(now);
  }
  for (const auto& [number, segment] : segments_) {
    segment->seal();
  }
  removeFinishedSegments();
  if (settings.sync == SpoolSettings::Sync::kBatch) {
    for (const auto& [number, segment] : segments_) {
      segment->sync();
    }
  }
}

Time RecordSpool::State::nextWake(Time now) const {
  Time wake = now + (in_flight_ > 0 ? kAckPoll : kIdle);
  const bool work = next_ < end() && in_flight_ < settings.in_flight_max;
  if (work) {
    wake = std::min(wake, std::max(now, paused_until_));
  }
  if (!retries_.empty() && in_flight_ < settings.in_flight_max) {
    wake = std::min(wake, std::max(retries_.front().at, paused_until_));
  }
  if (!marks_.empty()) {
    wake = std::min(wake, marks_.front().at + settings.sync_interval);
  }
  return wake;
}

void RecordSpool::State::addEntry(Entry entry) {
  if (entry.segment == 0) {
    unspooled_bytes += sizeOf(entry.payload);
  } else if (memory_bytes_ + sizeOf(entry.payload) > settings.memory_bytes_max) {
    entry.payload = {};
  }
  memory_bytes_ += sizeOf(entry.payload);
  entries_.push_back(std::move(entry));
}

Segment* RecordSpool::State::segmentFor(std::size_t bytes) {
  const auto found = segments_.find(active_);
  if (found != segments_.end()) {
    Segment& segment = *found->second;
    const bool fits = segment.bytes() == 0 || segment.bytes() + static_cast<std::int64_t>(bytes) <= settings.segment_bytes;
    if (segment.isWritable() && fits) {
      return &segment;
    }
    segment.seal();
  }
  active_ = 0;
  auto created = Segment::create(settings.directory, ++last_number_);
  if (!created) {
    telemetry::error("spool segment not created", {{"error", created.error().message}});
    return nullptr;
  }
  active_ = last_number_;
  return segments_.emplace(active_, std::move(*created)).first->second.get();
}

void RecordSpool::State::writeBatch(std::vector<std::string> payloads, Time now) {
  std::vector<Entry> batch;
  Segment* segment = nullptr;
  std::size_t batch_bytes = 0;
  for (auto& payload : payloads) {
    queued_bytes -= sizeOf(payload);
    const std::size_t bytes = kFrameHeadBytes + payload.size();
    const bool full = segment != nullptr && segment->bytes() + static_cast<std::int64_t>(batch_bytes + bytes) > settings.segment_bytes;
    if (batch.empty() || full) {
      writeFrames(segment, active_, batch);
      batch_bytes = 0;
      segment = segmentFor(bytes);
    }
    batch_bytes += bytes;
    batch.push_back({0, {}, Progress::kWaiting, std::move(payload)});
  }
  writeFrames(segment, active_, batch);
  if (settings.sync == SpoolSettings::Sync::kBatch) {
    marks_.push_back({now, end()});
  }
}

void RecordSpool::State::writeFrames(Segment* segment, std::uint64_t number, std::vector<Entry>& batch) {
  if (batch.empty()) {
    return;
  }
  frames_.clear();
  if (segment != nullptr) {
    std::uint32_t index = segment->frames();
    for (auto& entry : batch) {
      entry.segment = number;
      entry.frame.index = index++;
      entry.frame.length = static_cast<std::uint32_t>(entry.payload.size());
      entry.frame.offset = segment->bytes() + static_cast<std::int64_t>(frames_.size() + kFrameHeadBytes);
      appendFrame(entry.payload, frames_);
    }
  }
  base::Result<void> written = base::fail(base::ErrorCode::kInternal, "no segment");
  if (segment != nullptr) {
    written = segment->append(frames_, static_cast<std::uint32_t>(batch.size()));
  }
  if (written) {
    disk_bytes += sizeOf(frames_);
  } else {
    write_failures.fetch_add(1, std::memory_order_relaxed);
    telemetry::error("records not written to the spool", {{"error", written.error().message}});
  }
  for (auto& entry : batch) {
    if (!written) {
      entry.segment = 0;  // published from memory all the same
    }
    addEntry(std::move(entry));
  }
  batch.clear();
}

void RecordSpool::State::takeOutcomes(const std::vector<Outcome>& outcomes, Time now) {
  for (const auto& outcome : outcomes) {
    --in_flight_;
    Entry& entry = entryOf(outcome.sequence);
    if (outcome.stored) {
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
  if (outcomes.empty()) {
    return;
  }
  while (!entries_.empty() && entries_.front().progress == Progress::kStored) {
    entries_.pop_front();
    ++first_;
  }
  if (unsent == 0) {
    const std::lock_guard lock(mutex_);
    all_stored_.notify_all();
  }
}

void RecordSpool::State::noteStored(Entry& entry) {
  const auto found = segments_.find(entry.segment);
  std::string payload = std::move(entry.payload);
  entry.payload = {};
  memory_bytes_ -= sizeOf(payload);
  if (found != segments_.end()) {
    if (payload.empty()) {
      payload = found->second->read(entry.frame).value_or(std::string{});
    }
    found->second->acknowledge(entry.frame.index);
  } else {
    unspooled_bytes -= sizeOf(payload);
  }
  entry.progress = Progress::kStored;
  stored.fetch_add(1, std::memory_order_relaxed);
  unsent.fetch_sub(1, std::memory_order_relaxed);
  const auto record = readPayload(payload);
  if (record && on_stored) {
    on_stored(record->message_id);
  }
}

void RecordSpool::State::removeFinishedSegments() {
  for (auto it = segments_.begin(); it != segments_.end();) {
    Segment& segment = *it->second;
    if (segment.isSealed() && segment.isAllAcknowledged()) {
      disk_bytes -= segment.bytes();
      segment.remove();
      it = segments_.erase(it);
    } else {
      segment.writeAcknowledgements();
      ++it;
    }
  }
}

void RecordSpool::State::publishDue(Time now) {
  if (now < paused_until_) {
    return;
  }
  while (in_flight_ < settings.in_flight_max) {
    if (!retries_.empty() && retries_.front().at <= now) {
      const std::uint64_t sequence = retries_.front().sequence;
      retries_.pop_front();
      resent.fetch_add(1, std::memory_order_relaxed);
      publishOne(sequence);
    } else if (next_ < end()) {
      publishOne(next_++);
    } else {
      return;
    }
  }
}

void RecordSpool::State::publishOne(std::uint64_t sequence) {
  Entry& entry = entryOf(sequence);
  std::string from_disk;
  if (entry.payload.empty()) {
    const auto found = segments_.find(entry.segment);
    from_disk = found->second->read(entry.frame).value_or(std::string{});
  }
  const auto record = readPayload(entry.payload.empty() ? from_disk : entry.payload);
  ++in_flight_;
  entry.progress = Progress::kInFlight;
  if (!record) {
    onPublished(sequence, base::ErrorCode::kInternal, false);
    return;
  }
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
  bool wanted = false;
  for (std::uint64_t sequence = std::max(first_, synced_end_); sequence < due && !wanted; ++sequence) {
    wanted = entryOf(sequence).progress != Progress::kStored;
  }
  if (!wanted) {
    return;
  }
  // At most the last two: older ones were complete when they were left, and synced with what followed.
  auto it = segments_.rbegin();
  for (int i = 0; i < 2 && it != segments_.rend(); ++i, ++it) {
    it->second->sync();
  }
  synced_end_ = end();
  marks_.clear();
}

}  // namespace tollgate::spool
