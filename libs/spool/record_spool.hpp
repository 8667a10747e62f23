// Keeps records on disk until the bus has stored them (REQUIREMENTS 12.3). append() hands a record to the spool's thread. That thread
// writes it to a SQLite database, publishes it, publishes it again under the same message id until it is acknowledged, and then removes it.
// Records that an earlier process left on disk, also a killed one, are published when the spool is opened.
//
// Threads: every function may be called from any thread. append() waits for neither the disk nor the bus. The callback for a stored record
// runs on the spool's thread, some milliseconds after the acknowledgement, and must not block.
// Owns: the directory, which one process at a time may use, and the thread.
// Order: records are published in the order of append(); one whose publication failed, or that could not be read back, comes later.
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
  std::string directory;  // is made when it is missing
  // A record that is not acknowledged within this time is forced to disk, so that it survives a power failure too. A killed process loses
  // nothing that was written, whatever this is.
  std::chrono::milliseconds sync_interval{10};
  // While records come fast: how long the first waits for others before all are written in one transaction and published. Wakes and
  // transactions are what a record costs. After a pause of twice this time a record is written immediately.
  std::chrono::milliseconds linger{5};
  // Of records in the database; beyond: append() refuses. Files that were set aside as damaged may take as much again; what they take
  // beyond that counts against the records.
  std::int64_t disk_bytes_max = 4'000'000'000;
  std::int64_t memory_bytes_max = 64'000'000;  // of records in memory; the rest of a backlog is read back from disk when its turn comes
  std::size_t in_flight_max = 1000;            // published and not acknowledged yet
  std::chrono::milliseconds retry_delay{500};  // before a record whose publication failed is published again
};

// The first four are of this moment, the others count since open(). libs/spool/README.md says which metric shows each.
struct SpoolStats {
  std::uint64_t unsent = 0;          // appended or replayed, not stored by the bus yet
  std::int64_t disk_bytes = 0;       // of records in the database, acknowledged ones that are not removed yet included
  std::uint64_t memory_only = 0;     // of `unsent`: the disk has refused them, and they are lost when the process stops
  std::int64_t set_aside_bytes = 0;  // of files that were set aside as damaged; they wait for an operator
  std::uint64_t appended = 0;
  std::uint64_t refused = 0;  // append() returned kOverLimit
  std::uint64_t stored = 0;
  std::uint64_t resent = 0;          // published again
  std::uint64_t replayed = 0;        // found on disk at open(), or later when the disk had no room then
  std::uint64_t write_failures = 0;  // batches that live in memory only, because the disk refused them or there is no file
  std::uint64_t damaged_files = 0;   // replaced; what was readable has moved to the new file
  std::uint64_t unreadable = 0;      // records that a damaged file did not give back
  std::uint64_t lost = 0;            // by close(): those that were in memory only
};

class RecordSpool {
 public:
  // What the spool publishes through: RecordPublisher's publish(). `done` may run on any thread, also before publish returns.
  using Publish = std::function<void(std::string_view subject, std::string_view message_id, std::string_view data,
                                     std::function<void(base::Result<std::uint64_t> stream_sequence)> done)>;
  // The stream has the record with this id. Called exactly once for each record that it has, replayed ones too.
  using OnStored = std::function<void(std::string_view message_id)>;

  // Blocks while it reads what is there. A full or failing disk does not keep it from opening: records then live in memory until there is a
  // file, which is tried every second.
  // Errors: kConflict: another process or spool uses the directory, or a newer program wrote its file. kInternal: the directory cannot be
  // used.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordSpool>> open(SpoolSettings settings, Publish publish, OnStored on_stored);
  // Requires: the publisher outlives the spool.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordSpool>> open(SpoolSettings settings, bus::RecordPublisher& publisher,
                                                                       OnStored on_stored);
  ~RecordSpool();  // close()
  RecordSpool(const RecordSpool&) = delete;
  RecordSpool& operator=(const RecordSpool&) = delete;

  // Errors: kOverLimit: the bound of the disk or of memory is reached. kInvalid: an empty or over-long field. The record is then not taken.
  [[nodiscard]] base::Result<void> append(std::string_view subject, std::string_view message_id, std::string data);

  // Records that the bus has not stored yet. 0: an instance that is draining may exit.
  [[nodiscard]] std::uint64_t unsentCount() const;
  [[nodiscard]] SpoolStats stats() const;

  // Waits until unsentCount() is 0; false when the time is over first. For shutdown and tests.
  [[nodiscard]] bool waitUntilStored(std::chrono::milliseconds timeout) const;

  // Writes what is queued; unacknowledged records wait on disk for the next open(). Call waitUntilStored() before, to have them sent.
  // Afterwards only stats() and unsentCount() may be called.
  void close();

  struct State;

 private:
  explicit RecordSpool(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the publisher's callbacks, which may outlive the spool
};

}  // namespace tollgate::spool
