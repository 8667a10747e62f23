// Closes calls that their ingress does not have any more (REQUIREMENTS 9.5). A call without a heartbeat for a lease time is asked for at
// its instance. It is closed when the instance answers that it does not have it, or has stopped for good; and when nothing was heard of the
// instance for a long time and all that was promised to the call has ended. Each gets a CDR with the reason instance_lost, charged up to
// its last confirmed second, and the committer ends its hold as for any other call.
//
// It pauses while the bus or Redis is not connected, and for one lease time after they are back or after the start, because no ingress
// could confirm its calls meanwhile. Before it closes a call it waits until all records of the stream are processed: the call may have
// ended in one.
//
// Threads: start() and stop() from the main thread; one thread of its own does the rest. Owns: its thread.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/redis/client.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/presence.hpp"
#include "services/billing/records/committer.hpp"
#include "services/billing/records/intake.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

// The record of a call whose instance is lost. `known` is a serialized CallAnswered: what the hold has. The
// talking time is the confirmed time.
[[nodiscard]] cdr::FinishedCall lostCall(const std::string& call, const std::string& known, std::int64_t confirmed_seconds,
                                         base::WallTime now);

class Sweeper {
 public:
  struct Dependencies {
    redis::Client& redis;
    CreditStore& store;
    bus::Connection& connection;
    Intake& intake;
    Committer& committer;
    Presence& presence;
    const Settings& settings;
  };
  explicit Sweeper(Dependencies deps) : deps_(deps) {}
  ~Sweeper() { stop(); }
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;
  void start();
  void stop();

 private:
  // A call whose heartbeat is late.
  struct Silent {
    std::string call;
    base::CustomerId customer;
    HoldView hold;
  };

  void run();
  [[nodiscard]] bool mayClose();
  [[nodiscard]] base::Result<std::size_t> sweep();  // the number of leases examined
  [[nodiscard]] base::Result<void> inspect(const std::string& member, std::map<std::string, std::vector<Silent>>& by_instance);
  void findLost(const std::string& instance, std::vector<Silent> calls, std::vector<Silent>& lost);
  void close(const Silent& lost);

  // Passed in.
  const Dependencies deps_;
  // Derived.
  std::chrono::steady_clock::time_point quiet_until_{};  // no call is closed before
  base::Worker worker_;                                  // last: its thread uses the rest
};

}  // namespace tollgate::billing
