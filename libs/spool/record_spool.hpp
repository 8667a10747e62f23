// Keeps records on disk until the bus has stored them (REQUIREMENTS 12.3). append() hands a record to the spool's writer thread, which
// appends it to a segment file, publishes it, publishes it again under the same message id while no acknowledgement comes, and deletes a
// segment once all of it is acknowledged. What an earlier process left behind, killed ones too, is published when the spool is opened.
//
// append() may be called from any thread and never waits for the disk or the bus. The callback of a stored record runs on the writer
// thread, some milliseconds after the acknowledgement, and must not block. Owns: the directory (one process at a time, guarded by a lock
// file) and the writer thread. Records are published in the order they came, but one that failed comes later.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"
#include "libs/bus/records.hpp"

namespace tollgate::spool {

struct SpoolSettings {
  std::string directory;  // made when missing
  // kBatch: a record that is not acknowledged within sync_interval is forced to disk (fdatasync), so it survives a power failure too.
  // kNone: the kernel decides; a killed process still loses nothing.
  enum class Sync { kNone, kBatch };
  Sync sync = Sync::kBatch;
  std::chrono::milliseconds sync_interval{10};
  // While records come fast, how long the first waits for company before all are written and published in one go: wakes and writes are
  // what a record costs. After a pause of twice this a record is written at once.
  std::chrono::milliseconds linger{5};
  std::int64_t segment_bytes = 16'000'000;
  std::int64_t disk_bytes_max = 4'000'000'000;  // beyond: append() refuses
  std::int64_t memory_bytes_max = 64'000'000;   // data kept in memory; the rest of a backlog is read back from disk when its turn comes
  std::size_t in_flight_max = 1000;             // published and not acknowledged yet
  std::chrono::milliseconds retry_delay{500};   // before a record that failed is published again
};

// All but unsent count since open().
struct SpoolStats {
  std::uint64_t unsent = 0;     // appended or replayed, not stored by the bus yet
  std::int64_t disk_bytes = 0;  // in segment files now
  std::uint64_t appended = 0;
  std::uint64_t refused = 0;  // append() said kOverLimit
  std::uint64_t stored = 0;
  std::uint64_t resent = 0;          // published again
  std::uint64_t replayed = 0;        // found on disk at open()
  std::uint64_t torn_bytes = 0;      // unreadable ends of segments, skipped at open()
  std::uint64_t write_failures = 0;  // batches that live in memory only because the disk refused them
};

class RecordSpool {
 public:
  // What the spool publishes through: RecordPublisher's publish(). `done` may run on any thread, also before publish returns.
  using Publish = std::function<void(std::string_view subject, std::string_view message_id, std::string_view data,
                                     std::function<void(base::Result<std::uint64_t> stream_sequence)> done)>;
  // The stream has the record with this id; each record exactly once. Replayed records are told too.
  using OnStored = std::function<void(std::string_view message_id)>;

  // kConflict: another process or spool holds the directory. kInternal: the directory cannot be used. Blocks while it reads what is there.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordSpool>> open(SpoolSettings settings, Publish publish, OnStored on_stored);
  // The publisher must outlive the spool.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordSpool>> open(SpoolSettings settings, bus::RecordPublisher& publisher,
                                                                       OnStored on_stored);
  // Writes what is queued; unacknowledged records wait on disk for the next open(). Call waitUntilStored() before, to have them sent.
  ~RecordSpool();
  RecordSpool(const RecordSpool&) = delete;
  RecordSpool& operator=(const RecordSpool&) = delete;

  // kOverLimit when the disk bound or the writer's queue is full: the record is not taken. kInvalid: an empty or over-long field.
  [[nodiscard]] base::Result<void> append(std::string_view subject, std::string_view message_id, std::string data);

  // Records that the bus has not stored yet. 0 = an instance that is draining may exit.
  [[nodiscard]] std::uint64_t unsentCount() const;
  [[nodiscard]] SpoolStats stats() const;

  // Waits until unsentCount() is 0; false when the time is over first. For shutdown and tests.
  [[nodiscard]] bool waitUntilStored(std::chrono::milliseconds timeout) const;

  struct State;

 private:
  explicit RecordSpool(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the publisher's callbacks, which may outlive the spool
};

}  // namespace tollgate::spool
