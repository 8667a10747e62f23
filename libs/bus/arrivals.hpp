// Since when the requests of one subscription have been here. nats.c keeps no time of receipt: a message may have waited in its queue while
// the handler was busy, or in the socket while this process was stopped, and would look new when the handler sees it at last. So the owner
// counts at intervals how many messages have been received: one that was not among them is younger than that count. A count that is
// overdue means that this process was stopped or starved; before such a count the owner waits for a PONG of the server, so that everything
// that was held up has been read and belongs to it. All is measured by the steady clock of this process alone.
//
// Not seen: the time that a message spends in or before nats-server. For it, an asker that has given up names in the call's final record
// what it had asked for (CallRecord.asked_trunk_ids).
//
// Threads: any. Owns its counters.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>

namespace tollgate::bus {

class Arrivals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `period` is the time between two counts. A message cannot be dated more exactly, and what may be as young as that counts as new.
  explicit Arrivals(std::chrono::milliseconds period) : period_(period) {}

  // A count that was begun at `at`: `waiting` messages wait for the handler. Requires: `at` never goes back.
  void count(Time at, std::uint64_t waiting);

  // The handler gets the next message at `now`. Returns when that message arrived, at the latest `now`.
  [[nodiscard]] Time take(Time now);

 private:
  struct Count {
    Time at;
    std::uint64_t received;  // messages, since the beginning
  };

  // Passed in.
  const std::chrono::milliseconds period_;
  // Derived.
  std::mutex mutex_;  // guards the rest
  std::uint64_t taken_ = 0;
  std::deque<Count> counts_;  // `received` rises strictly, so their number is bounded by the messages that wait
};

}  // namespace tollgate::bus
