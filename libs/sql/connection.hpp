// One MySQL connection over Connector/C++ 1.1, which only this header and connection.cpp include. Private to libs/sql.
// Threads: one at a time. Owns: the connection and its prepared statements.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <cppconn/connection.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>

#include "libs/sql/sql.hpp"

namespace sql {
class SQLException;
}

namespace tollgate::sql {

class Connection final : public Session {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(const PoolSettings& settings);
  ~Connection() override;

  [[nodiscard]] base::Result<Rows> query(std::string_view sql, const std::vector<Value>& parameters) override;
  [[nodiscard]] base::Result<void> each(std::string_view sql, const std::vector<Value>& parameters,
                                        const std::function<void(const Row&)>& take) override;
  [[nodiscard]] base::Result<std::uint64_t> execute(std::string_view sql, const std::vector<Value>& parameters) override;
  [[nodiscard]] base::Result<std::uint64_t> insertMany(std::string_view head, const std::vector<std::vector<Value>>& rows,
                                                       std::string_view tail) override;
  [[nodiscard]] base::Result<std::int64_t> lastInsertId() override;

  // The connection is lost or in an unknown state and must not be used again.
  [[nodiscard]] bool isBroken() const { return broken_; }
  // Since clearRetry() the server has rolled back a statement or the transaction (1205, 1213, 1020).
  [[nodiscard]] bool mustRetry() const { return must_retry_; }
  void clearRetry() { must_retry_ = false; }
  // A round trip; without an answer the connection counts as broken.
  [[nodiscard]] bool answers();

 private:
  using Statement = std::shared_ptr<::sql::PreparedStatement>;  // shared by the cache and the call that is running it
  struct Cached {
    std::string sql;
    Statement statement;
  };

  explicit Connection(std::unique_ptr<::sql::Connection> connection) : connection_(std::move(connection)) {}
  [[nodiscard]] Statement prepared(std::string_view sql);
  void forget(std::string_view sql);
  [[nodiscard]] base::Error check(const ::sql::SQLException& error);
  // Runs `work` with the prepared statement, and once more if the server has lost the statement. Exceptions become Errors.
  template <class T>
  [[nodiscard]] base::Result<T> withPrepared(std::string_view sql, const std::function<T(::sql::PreparedStatement&)>& work);
  template <class T>
  [[nodiscard]] base::Result<T> guarded(const std::function<T()>& work);
  [[nodiscard]] base::Result<std::uint64_t> insertChunk(std::string_view head, const std::vector<std::vector<Value>>& rows,
                                                        std::size_t first, std::size_t count, std::string_view tail);

  // Owned. The statements must be destroyed before the connection.
  std::unique_ptr<::sql::Connection> connection_;
  std::list<Cached> statements_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Cached>::iterator> by_sql_;
  // Derived.
  bool broken_ = false;
  bool must_retry_ = false;
};

}  // namespace tollgate::sql
