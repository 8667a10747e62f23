// The part of SQLite's interface that the spool uses, with an owner for each of its handles. One thread at a time. Private to libs/spool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tollgate::spool {

// One prepared statement: bind every parameter, step until there is no more row, reset. Requires: the Database outlives it; bound text
// lives until the reset.
class Statement {
 public:
  Statement() = default;

  void bind(int parameter, std::int64_t value);
  void bindText(int parameter, std::string_view text);
  void bindBytes(int parameter, std::string_view bytes);
  // True: there is a row. False: finished. Errors: as Database::execute().
  [[nodiscard]] base::Result<bool> step();
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;  // valid until the next step
  void reset();

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  // Errors of every function here: kConflict: another process holds the file. kInvalid: the file is damaged. kOverLimit: the disk is full.
  // kInternal: anything else, such as a failing disk.
  [[nodiscard]] static base::Result<Database> open(const std::string& path);

  [[nodiscard]] base::Result<void> execute(const char* sql);
  [[nodiscard]] base::Result<Statement> prepare(const char* sql);
  [[nodiscard]] base::Result<std::int64_t> number(const char* sql);  // first column of the first row
  [[nodiscard]] base::Result<std::string> text(const char* sql);

  // Copies the write-ahead log into the database file; the next transaction then writes the log from its beginning. Returns how many frames
  // the log had.
  [[nodiscard]] base::Result<int> checkpoint();
  // Forces the write-ahead log, or the database file, to disk.
  [[nodiscard]] base::Result<void> syncLog();
  [[nodiscard]] base::Result<void> syncMain();
  // Keeps the log beside the database file when this object is destroyed; otherwise SQLite copies it into the file and deletes it.
  void keepLog();
  // Pages in the log after the last transaction.
  [[nodiscard]] int logPages() const { return *log_pages_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* handle);

  // SQLite's hook writes here, so it must not move. Declared first, because the hook may run while the database is closed.
  std::unique_ptr<int> log_pages_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace tollgate::spool
