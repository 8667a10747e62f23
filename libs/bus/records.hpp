// Records: events that must not be lost. They are stored by the JetStream stream CALL_EVENTS with a message id and read by two durable
// consumers, each of which acknowledges what it has stored. Threads: at each class and function.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"

namespace tollgate::bus {

// The durable consumers of CALL_EVENTS. Both read every record.
inline constexpr std::string_view kSlotsConsumer = "slots";    // push: capacity comes back as soon as a record arrives
inline constexpr std::string_view kBooksConsumer = "billing";  // pull: the books take records at the pace of their database

struct StreamSettings {
  std::chrono::hours max_age{24 * 7};
  std::chrono::seconds duplicate_window{120};
  std::int64_t bytes_max = 20'000'000'000;  // a full stream refuses records, which then wait in the spools; when the server's store is
                                            // smaller, its size is the bound
  int replicas = 1;
  std::chrono::seconds ack_wait{10};  // a record that is not acknowledged for this long is delivered again
  int ack_pending_max = 20'000;       // of each consumer: delivered and not acknowledged; then the stream waits
};

// Creates CALL_EVENTS and its consumers `slots` (push, deliver group `slots`) and `billing` (pull), both with explicit ack, when missing.
// Idempotent; an existing stream and consumers get these settings. A push consumer named `billing` of an earlier version is replaced: both
// consumers begin where it had acknowledged. Several instances may do it at the same time. Blocks: not a bus thread.
// Errors: kUnavailable: the bus is not connected, try again; else what the server refused.
[[nodiscard]] base::Result<void> ensureRecordStream(Connection& connection, const StreamSettings& settings);

struct ConsumerProgress {
  std::uint64_t acked_floor_sequence = 0;  // everything up to here is acknowledged
  std::uint64_t pending = 0;               // not delivered yet, plus delivered and not acknowledged
};

struct StreamProgress {
  std::int64_t created_nanoseconds = 0;  // another stream of the same name has another time
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  ConsumerProgress slots;
  ConsumerProgress books;
};

// Blocks for three round trips to the server. Errors: kNotFound: the stream or a consumer is missing; kUnavailable, kTimeout.
[[nodiscard]] base::Result<StreamProgress> readProgress(Connection& connection);

// Records that were delivered before are not acknowledged any more: their sequences may be other records in another stream. A loss of the
// connection does the same. Any thread.
void forgetDeliveries(Connection& connection);

// Publishes records and reports when the stream has stored each. publish() from any thread; `done` is called on a bus thread.
// Errors: kTimeout: no acknowledgement within the time; kUnavailable: the connection was lost; kOverLimit: the record is larger than the
// bus accepts. After the first two publish it again with the same id: the stream drops the duplicate.
class RecordPublisher {
 public:
  RecordPublisher(Connection& connection, std::chrono::milliseconds ack_timeout);
  ~RecordPublisher();  // completes what is pending with kUnavailable
  RecordPublisher(const RecordPublisher&) = delete;
  RecordPublisher& operator=(const RecordPublisher&) = delete;
  void publish(std::string_view subject, std::string_view message_id, std::string_view data,
               std::function<void(base::Result<std::uint64_t> stream_sequence)> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One delivered record. Copyable handle; ack exactly once after the record is stored; without it the record is
// delivered again after the consumer's ack wait. Any thread; may outlive the consumer and the connection (an ack then does nothing).
class Record {
 public:
  struct State;
  explicit Record(std::shared_ptr<State> state);
  [[nodiscard]] std::string_view subject() const;
  [[nodiscard]] std::string_view data() const;
  [[nodiscard]] std::uint64_t streamSequence() const;
  [[nodiscard]] std::uint64_t deliveries() const;  // 1 = first
  [[nodiscard]] std::uint64_t epoch() const;       // sequences are comparable within one epoch: a lost connection begins another
  void ack() const;

  [[nodiscard]] static std::optional<Record> fromDelivery(const std::weak_ptr<Connection::State>& connection,
                                                          const Delivery& delivery);  // for libs/bus itself

 private:
  std::shared_ptr<State> state_;  // shared by the copies of the handle
};

// Subscribes to the consumer `slots`, which need not exist yet, and again after an outage of the bus. Several instances share its records.
// The handler runs on a bus thread, one record at a time, and must not block.
class RecordConsumer {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<RecordConsumer>> open(Connection& connection, std::function<void(Record)> handler);
  ~RecordConsumer();
  RecordConsumer(const RecordConsumer&) = delete;
  RecordConsumer& operator=(const RecordConsumer&) = delete;

 private:
  struct State;
  explicit RecordConsumer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Fetches from the consumer `billing`, which need not exist yet. Several instances share its records. While nobody fetches, nothing arrives
// but the rest of the last batch: an instance whose database is away needs no memory. Threads: fetch() one at a time, may block;
// interrupt() any. Requires: the connection outlives it.
class RecordFetcher {
 public:
  // `ack_wait` is that of the stream: what was received and not fetched for so long is delivered again, and dropped here.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordFetcher>> open(Connection& connection, std::chrono::milliseconds ack_wait);
  ~RecordFetcher();
  RecordFetcher(const RecordFetcher&) = delete;
  RecordFetcher& operator=(const RecordFetcher&) = delete;

  // At most `most` records: as soon as there are so many, `gather` after the first has arrived, or none after `idle`.
  [[nodiscard]] std::vector<Record> fetch(std::size_t most, std::chrono::milliseconds gather, std::chrono::milliseconds idle);
  // Ends every fetch, now and later, without records.
  void interrupt();

 private:
  struct State;
  explicit RecordFetcher(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the deliveries
};

}  // namespace tollgate::bus
