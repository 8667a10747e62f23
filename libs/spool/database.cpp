#include "libs/spool/database.hpp"

#include <sqlite3.h>

namespace tollgate::spool {
namespace {

base::Error errorOf(sqlite3* database, int code) {
  const auto error = [&] {
    switch (code & 0xff) {  // the low byte is the kind, the rest the detail
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return base::ErrorCode::kConflict;
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
      case SQLITE_ERROR:  // the statements are constants, so the table is not the one that they were written for
        return base::ErrorCode::kInvalid;
      case SQLITE_FULL:
        return base::ErrorCode::kOverLimit;
      default:
        return base::ErrorCode::kInternal;
    }
  }();
  std::string message = sqlite3_errstr(code);
  if (database != nullptr && sqlite3_errcode(database) == code) {
    message = sqlite3_errmsg(database);
  }
  return {error, message + " (SQLite code " + std::to_string(code) + ")"};
}

base::Result<void> check(sqlite3* database, int code) {
  if (code != SQLITE_OK) {
    return tl::unexpected(errorOf(database, code));
  }
  return {};
}

base::Result<void> syncFile(sqlite3* database, int which) {
  sqlite3_file* file = nullptr;
  TG_TRY(check(database, sqlite3_file_control(database, "main", which, static_cast<void*>(&file))));
  if (file == nullptr || file->pMethods == nullptr) {
    return {};  // no log yet
  }
  return check(database, file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::bind(int parameter, std::int64_t value) {
  static_cast<void>(sqlite3_bind_int64(handle_.get(), parameter, value));
}

void Statement::bindText(int parameter, std::string_view text) {
  static_cast<void>(sqlite3_bind_text64(handle_.get(), parameter, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bindBytes(int parameter, std::string_view bytes) {
  static_cast<void>(sqlite3_bind_blob64(handle_.get(), parameter, bytes.data(), bytes.size(), SQLITE_STATIC));
}

base::Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW || code == SQLITE_DONE) {
    return code == SQLITE_ROW;
  }
  return tl::unexpected(errorOf(sqlite3_db_handle(handle_.get()), code));
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

void Statement::reset() {
  static_cast<void>(sqlite3_reset(handle_.get()));  // says again what step() said
}

void Database::Close::operator()(sqlite3* database) const {
  static_cast<void>(sqlite3_close_v2(database));
}

Database::Database(sqlite3* handle) : log_pages_(std::make_unique<int>(0)), handle_(handle) {}

base::Result<Database> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle);  // there is a handle, to be closed, also after a failure
  TG_TRY(check(handle, code));
  static_cast<void>(sqlite3_extended_result_codes(handle, 1));
  // Takes the place of SQLite's own hook, which makes automatic checkpoints: the spool says when. `PRAGMA wal_autocheckpoint` would take it
  // away again.
  const auto note_pages = [](void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
  };
  static_cast<void>(sqlite3_wal_hook(handle, note_pages, database.log_pages_.get()));
  return database;
}

base::Result<void> Database::execute(const char* sql) {
  return check(handle_.get(), sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr));
}

base::Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* handle = nullptr;
  TG_TRY(check(handle_.get(), sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr)));
  Statement statement;
  statement.handle_.reset(handle);
  return statement;
}

base::Result<std::int64_t> Database::number(const char* sql) {
  TG_TRY_ASSIGN(statement, prepare(sql));
  TG_TRY_ASSIGN(has_row, statement.step());
  return has_row ? statement.number(0) : 0;
}

base::Result<std::string> Database::text(const char* sql) {
  TG_TRY_ASSIGN(statement, prepare(sql));
  TG_TRY_ASSIGN(has_row, statement.step());
  return has_row ? std::string(statement.bytes(0)) : std::string();
}

base::Result<int> Database::checkpoint() {
  int frames = 0;
  TG_TRY(check(handle_.get(), sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, nullptr)));
  *log_pages_ = 0;
  return frames;
}

base::Result<void> Database::syncLog() {
  return syncFile(handle_.get(), SQLITE_FCNTL_JOURNAL_POINTER);
}

base::Result<void> Database::syncMain() {
  return syncFile(handle_.get(), SQLITE_FCNTL_FILE_POINTER);
}

void Database::keepLog() {
  static_cast<void>(execute("PRAGMA journal_size_limit=-1"));  // with a limit SQLite would empty the log
  int on = 1;
  static_cast<void>(sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_PERSIST_WAL, &on));
}

}  // namespace tollgate::spool
