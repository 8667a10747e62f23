// Dead letters wait in MySQL until an operator has mended what kept them from being stored. ReplayDeadLetter publishes one to the record
// stream again (REQUIREMENTS 10.7), and a metric counts those that wait.
// Threads: replay() runs on bus threads and does not block; start() and stop() on the main thread; one thread of its own does the rest.
// Owns: the queue of requests.
#pragma once

#include <deque>
#include <mutex>

#include "libs/base/worker.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/metrics.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class DeadLetters {
 public:
  DeadLetters(sql::Pool& pool, bus::Connection& connection, BillingMetrics& metrics);
  ~DeadLetters() { stop(); }
  DeadLetters(const DeadLetters&) = delete;
  DeadLetters& operator=(const DeadLetters&) = delete;

  void start();
  void stop();  // what is queued is answered with an error

  // A letter that was replayed before is not published again: the reply says when it was, and by whom.
  void replay(const v1::ReplayDeadLetterRequest& request, bus::Responder<v1::ReplayDeadLetterReply> responder);

 private:
  struct Task {
    v1::ReplayDeadLetterRequest request;
    bus::Responder<v1::ReplayDeadLetterReply> responder;
  };
  void run();
  void runTasks();
  void count();
  [[nodiscard]] base::Result<v1::ReplayDeadLetterReply> replayNow(const v1::ReplayDeadLetterRequest& request);
  [[nodiscard]] base::Result<std::uint64_t> publish(std::int64_t id, const std::string& subject, const std::string& data);

  // Passed in.
  sql::Pool& pool_;
  BillingMetrics& metrics_;
  // Owned.
  bus::RecordPublisher publisher_;
  // Derived.
  std::mutex mutex_;
  std::deque<Task> tasks_;
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
