// The consumer of the record stream: creates stream and durable consumer if they are missing, subscribes, and keeps trying while the bus is
// not connected. It reports how far the records have been processed.
// Threads: start() and stop() from the main thread, the rest from any thread; records are delivered on a bus thread. Owns: the consumer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/records.hpp"

namespace tollgate::billing {

class Intake {
 public:
  Intake(bus::Connection& connection, bus::StreamSettings settings, std::function<void(bus::Record)> accept);
  ~Intake() { stop(); }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  void start();
  void stop();
  [[nodiscard]] bool isBound() const;

  // Blocks until every record that the stream has at this moment is acknowledged. Requires: not a bus thread. Errors: kTimeout, not within
  // the limit; kUnavailable, not subscribed yet, or stopping.
  [[nodiscard]] base::Result<void> waitCaughtUp(std::chrono::milliseconds limit);

 private:
  void run();
  [[nodiscard]] base::Result<bus::ConsumerProgress> progress();

  // Passed in.
  bus::Connection& connection_;
  const bus::StreamSettings settings_;
  std::function<void(bus::Record)> accept_;
  // Derived.
  mutable std::mutex mutex_;
  std::shared_ptr<bus::RecordConsumer> consumer_;  // shared with the calls of progress() that are running
  base::Worker worker_;                            // last: its thread uses the rest
};

}  // namespace tollgate::billing
