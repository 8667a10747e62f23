// MySQL or MariaDB through a pool of connections. SQL must run unchanged on MySQL 8 and MariaDB 10.11.
//
// Threads: any thread that may block, never a loop, bus or Redis thread; a connection is used by one thread at a time. Owns: the pool owns
// the connections and discards one that broke (2006, 2013, 2055).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/result.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::sql {

struct PoolSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user;
  std::string password;
  std::string database;
  std::string ca_file;  // if set: TLS with this CA and a check of the host name
  std::size_t connections_max = 4;
  std::chrono::seconds timeout{10};  // connect, read and write, each
};

// A parameter or a cell. Money and ids are integers; DATETIME(6) travels as text 'YYYY-MM-DD hh:mm:ss.ffffff' in UTC.
using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;

[[nodiscard]] Value fromTime(base::WallTime time);
// Errors: kInvalid: the value is not a DATETIME text.
[[nodiscard]] base::Result<base::WallTime> toTime(const Value& value);

// The first `characters` of a text, for a VARCHAR of that length. Every byte that is not valid UTF-8, and NUL, is replaced by '?'.
[[nodiscard]] std::string fit(std::string_view text, std::size_t characters);

class Row {
 public:
  explicit Row(std::vector<Value> cells) : cells_(std::move(cells)) {}
  // Columns by position, in the order of the SELECT. NULL reads as 0 or ""; isNull tells them apart. Requires: `column` is less than
  // size().
  [[nodiscard]] bool isNull(std::size_t column) const;
  // A text cell gives its leading whole number: the SUM of a BIGINT is a DECIMAL, which arrives as text.
  [[nodiscard]] std::int64_t integer(std::size_t column) const;
  [[nodiscard]] const std::string& text(std::size_t column) const;  // an integer cell gives its decimal digits
  [[nodiscard]] const Value& value(std::size_t column) const;
  [[nodiscard]] std::size_t size() const { return cells_.size(); }

 private:
  std::vector<Value> cells_;
  mutable std::map<std::size_t, std::string> rendered_;  // integer cells that text() was called for
};

using Rows = std::vector<Row>;

// One connection, lent to one thread. Requires: not used after the work that it was lent for.
// Errors: kConflict = duplicate key (1062) or foreign key (1451, 1452); kTimeout = lock wait or deadlock (1205, 1213: Pool::transaction
// retries those); kInvalid = the values of the statement: too long, out of range, a bad date (errors.cpp has the list); kInternal = a
// statement that is wrong itself; kUnavailable = everything else: connection lost, disk full, read only, missing right, table or column.
class Session {
 public:
  virtual ~Session() = default;
  [[nodiscard]] virtual base::Result<Rows> query(std::string_view sql, const std::vector<Value>& parameters) = 0;
  // Calls `take` for each row of a large result while it arrives. Requires: `take` does not use this session; no parameters for a result
  // that does not fit into memory, because with parameters it is read completely first.
  [[nodiscard]] virtual base::Result<void> each(std::string_view sql, const std::vector<Value>& parameters,
                                                const std::function<void(const Row&)>& take) = 0;
  // Returns the number of affected rows.
  [[nodiscard]] virtual base::Result<std::uint64_t> execute(std::string_view sql, const std::vector<Value>& parameters) = 0;
  // One statement for many rows: `INSERT INTO <head> VALUES (?,..),(..) <tail>`, in chunks.
  // `head` e.g. "cdrs (call_id, charge_micros)", `tail` e.g. "ON DUPLICATE KEY UPDATE call_id = call_id". Returns the number of affected
  // rows (MySQL counts 1 for a new row, 2 for an updated one, 0 for an unchanged one). Outside a transaction each chunk commits separately.
  [[nodiscard]] virtual base::Result<std::uint64_t> insertMany(std::string_view head, const std::vector<std::vector<Value>>& rows,
                                                               std::string_view tail) = 0;
  [[nodiscard]] virtual base::Result<std::int64_t> lastInsertId() = 0;
};

// "?,?,?": the placeholders of a list or of a row.
[[nodiscard]] std::string marks(std::size_t count);

// MySQL plans a very long list badly and a statement has a largest size, so longer lists are asked for in pieces of this length.
inline constexpr std::size_t kListMax = 500;

// Calls `take` for each row of `select` IN (the values). `select` e.g. "SELECT id, name FROM trunks WHERE id". Errors: those of Session.
[[nodiscard]] base::Result<void> eachIn(Session& session, std::string_view select, const std::vector<Value>& values,
                                        const std::function<void(const Row&)>& take);

// The metrics of a pool, registered under the name of its service: tollgate_<service>_mysql_*.
struct PoolMetrics {
  PoolMetrics(telemetry::Metrics& metrics, std::string_view service);
  telemetry::Counter& connections_lost;
  telemetry::Counter& waits_timed_out;  // no connection became free in time
};

class Pool {
 public:
  explicit Pool(PoolSettings settings, std::optional<PoolMetrics> metrics = std::nullopt);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Lends a connection to `work`. Each statement commits separately; for several in one use transaction() or snapshot().
  // Errors: those of `work`; kOverLimit, no connection became free within the timeout; kUnavailable, cannot connect.
  template <class T>
  [[nodiscard]] base::Result<T> use(const std::function<base::Result<T>(Session&)>& work) {
    TG_TRY_ASSIGN(lease, borrow());
    return work(*lease);
  }

  // One transaction: committed when `work` succeeds, rolled back on an Error or exception. Requires: `work` can be repeated, since it runs
  // again (up to 3 times) after a deadlock. Errors: as use(); kUnavailable also means that the outcome of the commit is unknown, so use ids
  // that make a repeat harmless.
  template <class T>
  [[nodiscard]] base::Result<T> transaction(const std::function<base::Result<T>(Session&)>& work) {
    return collect<T>(&Pool::runTransaction, work);
  }

  // One consistent, read-only view of all tables (a REPEATABLE READ snapshot). Errors: as use().
  template <class T>
  [[nodiscard]] base::Result<T> snapshot(const std::function<base::Result<T>(Session&)>& work) {
    return collect<T>(&Pool::runSnapshot, work);
  }

  // A round trip to the server. Errors: as use().
  [[nodiscard]] base::Result<void> ping();

 private:
  struct State;
  using Lease = std::unique_ptr<Session, std::function<void(Session*)>>;
  using Work = std::function<base::Result<void>(Session&)>;
  [[nodiscard]] base::Result<Lease> borrow();
  // A connection on which `statement` has begun a transaction.
  [[nodiscard]] base::Result<Lease> begin(std::string_view statement);
  [[nodiscard]] base::Result<void> runTransaction(const Work& work);
  [[nodiscard]] base::Result<void> runSnapshot(const Work& work);
  // What `work` returned when it ran last.
  template <class T>
  [[nodiscard]] base::Result<T> collect(base::Result<void> (Pool::*run)(const Work&),
                                        const std::function<base::Result<T>(Session&)>& work) {
    base::Result<T> outcome = base::fail(base::ErrorCode::kInternal, "not run");
    TG_TRY((this->*run)([&](Session& session) -> base::Result<void> {
      outcome = work(session);
      if (!outcome) {
        return tl::unexpected(outcome.error());
      }
      return {};
    }));
    return outcome;
  }
  std::shared_ptr<State> state_;  // shared with the connections that are lent
};

}  // namespace tollgate::sql
