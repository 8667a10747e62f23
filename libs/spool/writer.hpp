// The thread of a spool: writes, publishes, notes acknowledgements, removes segments. All but the inbox and the counters is touched by
// that thread only. Private to libs/spool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libs/spool/record_spool.hpp"
#include "libs/spool/segment.hpp"

namespace tollgate::spool {

using Time = std::chrono::steady_clock::time_point;

struct RecordSpool::State : std::enable_shared_from_this<RecordSpool::State> {
  State(SpoolSettings the_settings, Publish the_publish, OnStored the_on_stored);

  // Start, on the opener's thread.
  [[nodiscard]] base::Result<void> lockDirectory();
  [[nodiscard]] base::Result<void> readDirectory();

  // Any thread.
  [[nodiscard]] base::Result<void> append(const RecordView& record);
  void onPublished(std::uint64_t sequence, base::ErrorCode error, bool stored);
  void stop();
  [[nodiscard]] bool waitUntilStored(std::chrono::milliseconds timeout) const;

  void run();

  // Passed in.
  const SpoolSettings settings;
  const Publish publish;
  const OnStored on_stored;

  // Counters, any thread.
  std::atomic<std::uint64_t> unsent{0};
  std::atomic<std::int64_t> disk_bytes{0};
  std::atomic<std::int64_t> queued_bytes{0};     // not written yet
  std::atomic<std::int64_t> unspooled_bytes{0};  // in memory only, the disk having refused them
  std::atomic<std::uint64_t> appended{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> stored{0};
  std::atomic<std::uint64_t> resent{0};
  std::atomic<std::uint64_t> replayed{0};
  std::atomic<std::uint64_t> torn_bytes{0};
  std::atomic<std::uint64_t> write_failures{0};

 private:
  enum class Progress { kWaiting, kInFlight, kStored };
  struct Entry {
    std::uint64_t segment = 0;  // 0: in memory only
    Segment::Frame frame;
    Progress progress = Progress::kWaiting;
    std::string payload;  // empty: to be read back from the segment
  };
  struct Outcome {
    std::uint64_t sequence;
    bool stored;
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

  [[nodiscard]] Entry& entryOf(std::uint64_t sequence) { return entries_[sequence - first_]; }
  [[nodiscard]] std::uint64_t end() const { return first_ + entries_.size(); }
  void writeBatch(std::vector<std::string> payloads, Time now);
  void writeFrames(Segment* segment, std::uint64_t number, std::vector<Entry>& batch);
  [[nodiscard]] Segment* segmentFor(std::size_t bytes);
  void addEntry(Entry entry);
  void takeOutcomes(const std::vector<Outcome>& outcomes, Time now);
  void noteStored(Entry& entry);
  void removeFinishedSegments();
  void publishDue(Time now);
  void publishOne(std::uint64_t sequence);
  void syncDue(Time now);
  [[nodiscard]] Time nextWake(Time now) const;

  // Shared with appenders and callbacks.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  mutable std::condition_variable all_stored_;
  std::vector<std::string> queue_;
  std::vector<Outcome> outcomes_;
  bool stopping_ = false;
  std::atomic<bool> window_full_{false};

  // Owned by the thread.
  FileHandle lock_;
  std::map<std::uint64_t, std::unique_ptr<Segment>> segments_;
  std::uint64_t active_ = 0;  // number of the segment written to; 0 = none
  std::uint64_t last_number_ = 0;
  std::deque<Entry> entries_;  // from the first that is not stored
  std::uint64_t first_ = 1;    // sequence of entries_.front()
  std::uint64_t next_ = 1;     // first that was never published
  std::size_t in_flight_ = 0;
  std::deque<Retry> retries_;
  Time paused_until_{};
  std::deque<Mark> marks_;
  std::uint64_t synced_end_ = 1;
  std::int64_t memory_bytes_ = 0;
  std::string frames_;  // kept so that its memory is used again
  std::thread thread_;

  friend class RecordSpool;
};

}  // namespace tollgate::spool
