// Records: events that must not be lost. They are stored by the JetStream stream CALL_EVENTS with a message id and read by a durable
// consumer that acknowledges after its commit. Threads: at each class and function.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"

namespace tollgate::bus {

struct StreamSettings {
  std::chrono::hours max_age{24 * 7};
  std::chrono::seconds duplicate_window{120};
  std::int64_t bytes_max = 20'000'000'000;  // a full stream refuses records, which then wait in the spools; when the server's store is
                                            // smaller, its size is the bound
  int replicas = 1;
  std::chrono::seconds ack_wait{10};  // a record that is not acknowledged for this long is delivered again
  int ack_pending_max = 20'000;       // delivered and not acknowledged; then the stream waits
};

// Creates CALL_EVENTS and the durable push consumer "billing" (deliver group "billing", explicit ack, max ack pending) when missing.
// Idempotent; an existing stream and consumer get these settings. Several instances may do it at the same time. Blocks: start-up only.
// Errors: kUnavailable: the bus is not connected, try again; else what the server refused.
[[nodiscard]] base::Result<void> ensureRecordStream(Connection& connection, const StreamSettings& settings);

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

// One delivered record. Copyable handle; ack exactly once after the commit; without it the record is
// delivered again after the consumer's ack wait. Any thread; may outlive the consumer and the connection (an ack then does nothing).
class Record {
 public:
  struct State;
  explicit Record(std::shared_ptr<State> state);
  [[nodiscard]] std::string_view subject() const;
  [[nodiscard]] std::string_view data() const;
  [[nodiscard]] std::uint64_t streamSequence() const;
  [[nodiscard]] std::uint64_t deliveries() const;  // 1 = first
  void ack() const;

 private:
  std::shared_ptr<State> state_;  // shared by the copies of the handle
};

struct ConsumerProgress {
  std::uint64_t stream_last_sequence = 0;
  std::uint64_t acked_floor_sequence = 0;  // everything up to here is acknowledged
  std::uint64_t pending = 0;               // not delivered yet, plus delivered and not acknowledged
};

// Subscribes to the durable consumer, which need not exist yet, and again after an outage of the bus. Several instances share its records.
// The handler runs on a bus thread, one record at a time, and must not block.
class RecordConsumer {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<RecordConsumer>> open(Connection& connection, std::string_view durable,
                                                                          std::function<void(Record)> handler);
  ~RecordConsumer();
  RecordConsumer(const RecordConsumer&) = delete;
  RecordConsumer& operator=(const RecordConsumer&) = delete;
  // Blocks for two round trips to the server. Errors: kUnavailable, kTimeout.
  [[nodiscard]] base::Result<ConsumerProgress> progress() const;

 private:
  struct State;
  explicit RecordConsumer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The stored record with this sequence. Blocks. Errors: kNotFound: the stream does not have it any more; kUnavailable, kTimeout.
[[nodiscard]] base::Result<std::string> readRecord(Connection& connection, std::uint64_t stream_sequence);

}  // namespace tollgate::bus
