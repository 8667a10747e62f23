// The durable consumer of the record stream: makes stream and consumer when missing, binds, and keeps trying while the bus is away. Says
// how far the records have come. start/stop from the main thread, the rest from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "libs/bus/connection.hpp"
#include "libs/bus/records.hpp"

namespace tollgate::billing {

class Intake {
 public:
  Intake(bus::Connection& connection, bus::StreamSettings settings, std::function<void(bus::Record)> take);
  ~Intake() { stop(); }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  void start();
  void stop();
  [[nodiscard]] bool isBound() const;

  // Blocks until every record that the stream has now is in the books; kTimeout after the limit. Not on a bus thread.
  [[nodiscard]] base::Result<void> waitCaughtUp(std::chrono::milliseconds limit);

 private:
  void run();
  [[nodiscard]] base::Result<bus::ConsumerProgress> progress();
  [[nodiscard]] bool pause(std::chrono::milliseconds time);  // false = stopping

  // Passed in.
  bus::Connection& connection_;
  const bus::StreamSettings settings_;
  std::function<void(bus::Record)> take_;
  // Owned.
  std::thread thread_;
  // Derived.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<bus::RecordConsumer> consumer_;  // shared with a progress() that is under way
  bool stopping_ = false;
};

}  // namespace tollgate::billing
