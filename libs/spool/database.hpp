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

// One prepared statement: bind all, step until it says that there is no more row, reset. Bound text must live until the reset.
// Requires: the Database outlives it.
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

  // Copies the write-ahead log into the database file; the next transaction then begins the log anew. Returns how many frames the log had.
  [[nodiscard]] base::Result<int> checkpoint();
  // Forces the write-ahead log, or the database file, to disk.
  [[nodiscard]] base::Result<void> syncLog();
  [[nodiscard]] base::Result<void> syncMain();
  // Leaves the log beside the database file when this is closed; otherwise SQLite copies it into the file and deletes it.
  void keepLog();
  // Pages in the log after the last transaction.
  [[nodiscard]] int logPages() const { return *log_pages_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* handle);

  std::unique_ptr<int> log_pages_;  // SQLite's hook writes here: it must not move. Declared first, the hook may run while closing.
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace tollgate::spool
