// Keeps the record stream and its consumers in being: makes what is missing within a second (a wiped store, another cluster, a deletion by
// hand), subscribes the reader of slots, and reports how far both readers are.
// Threads: start() and stop() from the main thread, the rest from any thread; records are delivered on a bus thread. Owns: the
// subscription.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/records.hpp"
#include "services/billing/metrics.hpp"

namespace tollgate::billing {

class Intake {
 public:
  Intake(bus::Connection& connection, bus::StreamSettings settings, BillingMetrics& metrics, std::function<void(bus::Record)> accept);
  ~Intake() { stop(); }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  void start();
  void stop();
  // The stream and both consumers are there, as seen within the last second, and this instance is subscribed.
  [[nodiscard]] bool isBound() const;

  // Blocks until every record that the stream has at this moment is acknowledged by both readers. Requires: not a bus thread. Errors:
  // kTimeout, not within the limit; kNotFound, the stream is being made; kUnavailable, not connected, or stopping.
  [[nodiscard]] base::Result<void> waitCaughtUp(std::chrono::milliseconds limit);

 private:
  void run();
  void check();
  void make();
  void setBound(bool is_bound);

  // Passed in.
  bus::Connection& connection_;
  const bus::StreamSettings settings_;
  BillingMetrics& metrics_;
  std::function<void(bus::Record)> accept_;
  // Owned.
  std::unique_ptr<bus::RecordConsumer> slots_;  // the worker's, and after it has ended stop()'s
  // Derived, the worker's.
  bool is_made_ = false;             // the stream has had these settings once
  std::int64_t stream_created_ = 0;  // 0 = not seen yet
  // Derived.
  mutable std::mutex mutex_;
  bool is_bound_ = false;
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
