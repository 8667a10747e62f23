// The configuration feed: keeps a service's tables in step with MySQL. admin_api writes a row and a line in config_changes (versions
// without gaps, in commit order) in one transaction and then publishes config.changed; the feed wakes on that event, and looks by itself
// `poll` in case one was missed, reads config_changes beyond the version it has, and hands the changes over. When lines are missing there
// (pruned, or a backup was put back) everything is loaded anew. While MySQL is away the service goes on with what it has. One thread of
// its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/bus/connection.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

struct Change {
  std::uint64_t version = 0;
  std::string entity;  // customer, trunk, routing_rule, dialpeer, rate_plan, rate
  std::int64_t entity_id = 0;
  bool deleted = false;
};

// The service's side; called on the feed's thread only. What it throws counts as an Error.
class Tables {
 public:
  virtual ~Tables() = default;
  // Reads everything. Runs inside one consistent read, so the version belongs to the rows.
  [[nodiscard]] virtual base::Result<void> loadAll(sql::Session& session) = 0;
  // Brings the named rows up to date (one change per row, last wins). On an Error everything is loaded anew.
  [[nodiscard]] virtual base::Result<void> apply(sql::Session& session, const std::vector<Change>& changes) = 0;
  // Swap in what loadAll or apply has made ready.
  virtual void publish(std::uint64_t version) = 0;
};

class Feed {
 public:
  // The pool and connection must outlive the feed.
  Feed(sql::Pool& pool, bus::Connection& connection, Tables& tables, std::chrono::milliseconds poll);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  [[nodiscard]] base::Result<void> start();  // subscribes and starts the thread; loading goes on in it, retried until it works
  // 0 until the first load, and after it while nothing was ever configured: for readiness ask isLoaded. Any thread.
  [[nodiscard]] std::uint64_t version() const;
  [[nodiscard]] bool isLoaded() const;
  // Rounds in a row that failed: 0 = in step as far as known. Any thread.
  [[nodiscard]] std::uint64_t failures() const;

 private:
  struct State;
  bus::Connection& connection_;
  std::shared_ptr<State> state_;  // shared with the bus callback
};

}  // namespace tollgate::feed
