// The configuration feed: brings every change in MySQL into a service's tables (REQUIREMENTS 3.8: within one second).
//
// admin_api writes a row and a line in config_changes (versions without gaps, in commit order) in one transaction and then publishes
// config.changed. The feed wakes on that event, and after every `poll` in case one was missed. It reads the lines of config_changes beyond
// the version it has and hands the changes over. When lines are missing (they were pruned, or a backup was restored) it loads everything.
// While MySQL is unavailable the service keeps the tables it has.
//
// Thread: made, started and destroyed on the start-up thread; owns one thread, on which Tables is called.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"
#include "libs/feed/metrics.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

struct Change {
  std::uint64_t version = 0;
  std::string entity;  // customer, trunk, routing_rule, dialpeer, rate_plan, rate
  std::int64_t entity_id = 0;
  bool deleted = false;
};

// The service's side. Called on the feed's thread only. An exception counts as an Error.
class Tables {
 public:
  virtual ~Tables() = default;
  // Reads everything. Runs inside one consistent read, so the version belongs to the rows. Errors: those of sql::Session; it is tried
  // again.
  [[nodiscard]] virtual base::Result<void> loadAll(sql::Session& session) = 0;
  // Brings the named rows up to date: one change for each row, the last one. They may be very many; those that do not concern the service
  // cost it nothing. Runs inside one consistent read.
  // Errors: those of sql::Session; after any Error everything is loaded again.
  [[nodiscard]] virtual base::Result<void> apply(sql::Session& session, const std::vector<Change>& changes) = 0;
  // Puts the rows that loadAll or apply has read in force.
  virtual void publish(std::uint64_t version) = 0;
  // Nothing has changed since the last round: what was only kept for a moment may be freed.
  virtual void settled() {}
};

class Feed {
 public:
  // Requires: pool, connection and tables outlive the feed.
  Feed(sql::Pool& pool, bus::Connection& connection, Tables& tables, std::chrono::milliseconds poll, FeedMetrics metrics);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  // Subscribes and starts the thread, which loads and retries until it succeeds. Called once.
  // Errors: those of bus::Connection::subscribe.
  [[nodiscard]] base::Result<void> start();

 private:
  struct State;
  bus::Connection& connection_;
  std::shared_ptr<State> state_;  // shared with the bus callback
};

}  // namespace tollgate::feed
