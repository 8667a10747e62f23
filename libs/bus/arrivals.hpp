// Since when the requests of one subscription have been here. nats.c keeps no time of receipt: a message may have waited in its queue while
// the handler was busy, or in the socket while this process was stopped, and would look new when the handler sees it at last. So the owner
// asks the server for a PONG at intervals and tells this object how many messages had been received when the PONG came. The server answers
// in order: a message that is received after the PONG was sent to us after the PING. That bounds the age of every message by steady time of
// this process alone. Private to libs/bus.
//
// Not seen: the time that a message spends before the server has read it. For it, an asker that has given up names in the call's final
// record what it had asked for (CallRecord.asked_trunk_ids).
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

  // `period` is the time between two round trips. A message cannot be dated more exactly, and what may be as young as that counts as new.
  explicit Arrivals(std::chrono::milliseconds period) : period_(period) {}

  // A PING sent at `asked` has been answered, and `waiting` messages wait for the handler now. Requires: `asked` never goes back.
  void noteRoundTrip(Time asked, std::uint64_t waiting);

  // The handler gets the next message at `now`. Returns when that message arrived, at the latest `now`.
  [[nodiscard]] Time take(Time now);

 private:
  struct RoundTrip {
    Time asked;
    std::uint64_t received;  // messages received until its end
  };

  // Passed in.
  const std::chrono::milliseconds period_;
  // Derived.
  std::mutex mutex_;  // guards the rest
  std::uint64_t taken_ = 0;
  std::deque<RoundTrip> round_trips_;  // `received` rises strictly, so their number is bounded by the messages that wait
};

}  // namespace tollgate::bus
