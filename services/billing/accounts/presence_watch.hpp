// Feeds the presence of the ingress instances: what they announce on the bus, and the table `ingress_instances`, which remembers them when
// billing and Redis start anew. An instance is in the table before a rebuild could miss its calls, because it is noted with its first
// request.
//
// Threads: start() and stop() from the main thread; announcements arrive on a bus thread; one thread of its own writes the table. Owns: the
// subscription and the thread.
#pragma once

#include <atomic>
#include <optional>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/accounts/presence.hpp"

namespace tollgate::billing {

class PresenceWatch {
 public:
  PresenceWatch(bus::Connection& connection, sql::Pool& pool, Presence& presence)
      : connection_(connection), pool_(pool), presence_(presence) {}
  ~PresenceWatch() { stop(); }
  PresenceWatch(const PresenceWatch&) = delete;
  PresenceWatch& operator=(const PresenceWatch&) = delete;

  // Errors: those of bus::Connection::subscribe().
  [[nodiscard]] base::Result<void> start();
  void stop();
  // The table has been read since the start.
  [[nodiscard]] bool isRecalled() const { return is_recalled_; }

 private:
  void run();
  [[nodiscard]] base::Result<void> recall();
  [[nodiscard]] base::Result<void> store(const std::map<std::string, bool>& changes);

  // Passed in.
  bus::Connection& connection_;
  sql::Pool& pool_;
  Presence& presence_;
  // Owned.
  std::optional<bus::Subscription> subscription_;
  std::atomic<bool> is_recalled_{false};
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
