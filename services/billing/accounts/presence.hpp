// Which ingress instances may hold calls (REQUIREMENTS 9.5). Each announces itself every two seconds. The calls
// of a silent instance are gone only when the instance is known gone: it said that it stopped, another took over its spool and has
// published the records found there, or nothing was heard of it for gone_after. Time is this process's monotonic clock, so no step of a
// host's or of Redis's clock makes anybody gone.
//
// Threads: any. Owns: what was heard last of each instance.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "libs/base/clock.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::billing {

class Presence {
 public:
  // Requires: the clock outlives this.
  Presence(const base::Clock& clock, std::chrono::milliseconds gone_after) : clock_(clock), gone_after_(gone_after) {}

  void heard(const control::v1::InstanceAlive& alive);
  // A request for a call has come from it. Empty: not from an ingress.
  void heardFrom(const std::string& instance);
  // An instance that was known before this process started; its silence counts from now.
  void recall(const std::string& instance);
  // Nothing can be heard while the bus is away, so silence counts anew.
  void busIsBack();

  enum class State { kAlive, kSilent, kStopped };
  // kSilent: nothing was heard for gone_after, or there is no name. kAlive for an instance of which nothing is known: its silence counts
  // from this question.
  [[nodiscard]] State of(const std::string& instance);
  // Those that are alive.
  [[nodiscard]] std::vector<std::string> mayHoldCalls();

  // For the table `ingress_instances`: what has changed since the last call, true for instances that are gone for good.
  [[nodiscard]] std::map<std::string, bool> takeChanges();

 private:
  struct Seen {
    base::MonotonicTime last_heard;
    bool has_stopped = false;  // said so, or was replaced
  };
  // Both under mutex_.
  [[nodiscard]] Seen& find(const std::string& instance);
  [[nodiscard]] State stateOf(const Seen& seen) const;
  void stopped(const std::string& instance, Seen& seen);

  // Passed in.
  const base::Clock& clock_;
  const std::chrono::milliseconds gone_after_;
  // Owned.
  std::mutex mutex_;
  std::map<std::string, Seen> instances_;
  std::set<std::string> changed_;
};

}  // namespace tollgate::billing
