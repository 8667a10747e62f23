// The thread of a spool: writes, publishes, takes acknowledgements, removes what is stored. Everything but the inbox and the counters
// belongs to that thread. Private to libs/spool.
//
// A turn of the thread: acknowledgements are taken; what was appended is written, and what was acknowledged removed, in one transaction;
// then what was written is published, so that a record is on disk before the bus sees it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/spool/directory_lock.hpp"
#include "libs/spool/record_spool.hpp"
#include "libs/spool/recovery.hpp"

namespace tollgate::spool {

using Time = std::chrono::steady_clock::time_point;

struct RecordSpool::State : std::enable_shared_from_this<RecordSpool::State> {
  State(SpoolSettings the_settings, Publish the_publish, OnStored the_on_stored);

  // Start, on the opener's thread.
  // Errors: kConflict, kInternal, as RecordSpool::open().
  [[nodiscard]] base::Result<void> openDirectory();
  void start();

  // Any thread.
  [[nodiscard]] base::Result<void> append(std::unique_ptr<Record> record);
  void onPublished(std::uint64_t sequence, base::ErrorCode error, bool is_stored);
  void stop();
  [[nodiscard]] bool waitUntilStored(std::chrono::milliseconds timeout) const;

  // Passed in.
  const SpoolSettings settings;
  const Publish publish;
  const OnStored on_stored;

  // Counters, any thread.
  std::atomic<std::uint64_t> unsent{0};
  std::atomic<std::int64_t> disk_bytes{0};
  std::atomic<std::int64_t> queued_bytes{0};     // not written yet
  std::atomic<std::int64_t> unspooled_bytes{0};  // in memory only, the disk having refused them
  std::atomic<std::uint64_t> memory_only{0};     // how many these are
  std::atomic<std::int64_t> set_aside_bytes{0};
  std::atomic<std::uint64_t> appended{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> stored{0};
  std::atomic<std::uint64_t> resent{0};
  std::atomic<std::uint64_t> replayed{0};
  std::atomic<std::uint64_t> write_failures{0};
  std::atomic<std::uint64_t> damaged_files{0};
  std::atomic<std::uint64_t> unreadable{0};
  std::atomic<std::uint64_t> lost{0};

 private:
  enum class Progress { kWaiting, kInFlight, kStored };
  struct Entry {
    std::int64_t row = 0;  // 0: in memory only
    std::int64_t bytes = 0;
    Progress progress = Progress::kWaiting;
    bool is_resend = false;          // was published before
    std::unique_ptr<Record> record;  // null: to be read back from the store; never while it is in flight
  };
  struct Outcome {
    std::uint64_t sequence;
    bool is_stored;
    base::ErrorCode error;
  };
  struct Retry {
    Time at;
    std::uint64_t sequence;
  };
  struct Mark {  // up to `end` was written at
    Time at;
    std::uint64_t end;
  };

  void run();
  void waitForWork();
  [[nodiscard]] Time nextWake(Time now) const;
  void finish();
  void reportLost();

  [[nodiscard]] Entry& entryOf(std::uint64_t sequence) { return entries_[sequence - first_]; }
  [[nodiscard]] std::uint64_t end() const { return first_ + entries_.size(); }
  void addEntry(Entry entry);

  void writeDue(std::vector<std::unique_ptr<Record>> batch, Time now);
  [[nodiscard]] base::Result<void> writeToStore(const std::vector<std::unique_ptr<Record>>& batch);
  void openStoreDue(Time now);
  [[nodiscard]] base::Result<void> openStoreNow();
  void openOrRetry();
  void lookForSetAsideDue(Time now);
  void addLeftRows(std::vector<StoredRow> rows);
  void addLostRows(const std::vector<StoredRow>& rows);
  void replaceStore();
  void syncDue(Time now);
  void checkpointDue();

  void takeOutcomes(const std::vector<Outcome>& outcomes, Time now);
  void noteStored(Entry& entry);
  void forget(Entry& entry);
  void dropFinished();
  void publishDue(Time now);
  void publishOne(std::uint64_t sequence, Time now);
  [[nodiscard]] base::Result<Record> readRow(std::int64_t row);
  void giveUp(Entry& entry);
  void keepInMemory(Entry& entry, std::unique_ptr<Record> record);
  void limitMemory(Entry& entry);

  // Shared with appenders and callbacks.
  mutable std::mutex mutex_;
  mutable std::condition_variable all_stored_;
  std::vector<std::unique_ptr<Record>> queue_;
  std::vector<Outcome> outcomes_;
  std::atomic<bool> is_window_full_{false};

  // Owned by the thread.
  DirectoryLock lock_;
  std::unique_ptr<RecordStore> store_;  // null while the file cannot be opened, made or replaced: records then live in memory
  bool is_read_ = false;                // a store was opened, and what an earlier process left are entries
  bool is_damaged_ = false;             // the file was found damaged and is not replaced yet
  Time open_again_at_{};                // while there is no store
  Time look_again_at_{};                // for files that were set aside
  Time read_again_at_{};                // after the disk failed to give a record back
  std::int64_t next_row_ = 1;
  std::vector<std::int64_t> removable_rows_;  // acknowledged and still in the store
  std::int64_t removable_bytes_ = 0;
  Time remove_at_{};           // when they are removed, should nothing be written before
  std::deque<Entry> entries_;  // from the first that is not stored
  std::uint64_t first_ = 1;    // sequence of entries_.front()
  std::uint64_t next_ = 1;     // first that was never published
  std::size_t in_flight_ = 0;
  std::deque<Retry> retries_;
  Time last_batch_{};
  Time paused_until_{};
  Time wake_at_{};
  std::deque<Mark> marks_;
  std::uint64_t synced_end_ = 1;  // what came before this sequence was forced to disk, unless it was stored before
  std::int64_t memory_bytes_ = 0;
  base::Worker worker_;  // last: its thread uses the rest

  friend class RecordSpool;
};

}  // namespace tollgate::spool
