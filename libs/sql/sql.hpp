// MySQL / MariaDB. Everything here blocks: worker threads only, never a loop, bus or Redis thread. A connection is used by one thread at a
// time; a broken one (2006, 2013, 2055) is thrown away. SQL must run unchanged on MySQL 8 and MariaDB 10.11.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/result.hpp"

namespace tollgate::sql {

struct PoolSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user;
  std::string password;
  std::string database;
  std::string ca_file;  // not empty: TLS with this CA and host name check
  std::size_t connections_max = 4;
  std::chrono::seconds timeout{10};  // connect, read and write, each
};

// A parameter or a cell. Money and ids are integers; DATETIME(6) travels as text 'YYYY-MM-DD hh:mm:ss.ffffff' in UTC.
using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;

[[nodiscard]] Value fromTime(base::WallTime time);
// Errors: kInvalid, the value is not such a text.
[[nodiscard]] base::Result<base::WallTime> toTime(const Value& value);

// The first `characters` of a text; every byte that is not valid UTF-8, and NUL, is replaced by '?'. A VARCHAR of that length takes it.
[[nodiscard]] std::string fit(std::string_view text, std::size_t characters);

class Row {
 public:
  explicit Row(std::vector<Value> cells) : cells_(std::move(cells)) {}
  // Column by position, in the order of the SELECT. A NULL is 0 / "" ; ask isNull.
  [[nodiscard]] bool isNull(std::size_t column) const;
  // Of a text cell (SUM of a BIGINT is a DECIMAL, which travels as text): its leading whole number.
  [[nodiscard]] std::int64_t integer(std::size_t column) const;
  [[nodiscard]] const std::string& text(std::size_t column) const;  // of an integer cell: its decimal digits
  [[nodiscard]] const Value& value(std::size_t column) const;
  [[nodiscard]] std::size_t size() const { return cells_.size(); }

 private:
  std::vector<Value> cells_;
  mutable std::map<std::size_t, std::string> rendered_;  // integer cells that were asked for as text
};

using Rows = std::vector<Row>;

// One connection in one thread's hands.
// Not to be kept beyond the work it was lent for.
// Errors: kConflict = duplicate key (1062) or foreign key (1451, 1452); kUnavailable = connection lost; kTimeout = lock wait or deadlock
// (1205, 1213: Pool::transaction retries those); kInvalid = other SQL errors.
class Session {
 public:
  virtual ~Session() = default;
  [[nodiscard]] virtual base::Result<Rows> query(std::string_view sql, const std::vector<Value>& parameters) = 0;
  // Streams a large result row by row; `take` must not use this session. With parameters the result is held in memory: none for millions
  // of rows.
  [[nodiscard]] virtual base::Result<void> each(std::string_view sql, const std::vector<Value>& parameters,
                                                const std::function<void(const Row&)>& take) = 0;
  // Affected rows.
  [[nodiscard]] virtual base::Result<std::uint64_t> execute(std::string_view sql, const std::vector<Value>& parameters) = 0;
  // One statement for many rows: `INSERT INTO <head> VALUES (?,..),(..) <tail>`, in chunks.
  // head e.g. "cdrs (call_id, charge_micros)", tail e.g. "ON DUPLICATE KEY UPDATE call_id = call_id". Affected rows in all (MySQL counts
  // 1 for a new row, 2 for one that was updated, 0 for one left as it was). Outside a transaction each chunk is committed by itself.
  [[nodiscard]] virtual base::Result<std::uint64_t> insertMany(std::string_view head, const std::vector<std::vector<Value>>& rows,
                                                               std::string_view tail) = 0;
  [[nodiscard]] virtual base::Result<std::int64_t> lastInsertId() = 0;
};

class Pool {
 public:
  explicit Pool(PoolSettings settings);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Lends a connection for the length of `work`; waits for a free one up to the timeout (kOverLimit). Each statement commits by itself;
  // for BEGIN and COMMIT use transaction() or snapshot().
  template <class T>
  [[nodiscard]] base::Result<T> use(const std::function<base::Result<T>(Session&)>& work) {
    TG_TRY_ASSIGN(lease, borrow());
    return work(*lease);
  }

  // One transaction: committed when `work` succeeds, rolled back on an Error or exception. Deadlocks are retried up to 3 times, so `work`
  // must be repeatable. A commit whose outcome is unknown is kUnavailable: the caller's ids make a repeat harmless.
  template <class T>
  [[nodiscard]] base::Result<T> transaction(const std::function<base::Result<T>(Session&)>& work) {
    base::Result<T> outcome = base::fail(base::ErrorCode::kInternal, "not run");
    TG_TRY(runTransaction([&](Session& session) -> base::Result<void> {
      outcome = work(session);
      if (!outcome) {
        return tl::unexpected(outcome.error());
      }
      return {};
    }));
    return outcome;
  }

  // One consistent view of all tables (REPEATABLE READ snapshot), read only.
  template <class T>
  [[nodiscard]] base::Result<T> snapshot(const std::function<base::Result<T>(Session&)>& work) {
    base::Result<T> outcome = base::fail(base::ErrorCode::kInternal, "not run");
    TG_TRY(runSnapshot([&](Session& session) -> base::Result<void> {
      outcome = work(session);
      if (!outcome) {
        return tl::unexpected(outcome.error());
      }
      return {};
    }));
    return outcome;
  }

  [[nodiscard]] base::Result<void> ping();

 private:
  struct State;
  using Lease = std::unique_ptr<Session, std::function<void(Session*)>>;
  [[nodiscard]] base::Result<Lease> borrow();
  [[nodiscard]] base::Result<void> runTransaction(const std::function<base::Result<void>(Session&)>& work);
  [[nodiscard]] base::Result<void> runSnapshot(const std::function<base::Result<void>(Session&)>& work);
  std::shared_ptr<State> state_;  // shared with the leases out
};

}  // namespace tollgate::sql
