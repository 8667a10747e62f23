#include "libs/sql/connection.hpp"

#include <algorithm>
#include <mutex>

#include <cppconn/datatype.h>
#include <cppconn/driver.h>
#include <cppconn/exception.h>
#include <cppconn/resultset_metadata.h>
#include <cppconn/statement.h>

#include "libs/base/assert.hpp"
#include "libs/base/text.hpp"
#include "libs/sql/errors.hpp"

namespace tollgate::sql {
namespace {

constexpr std::size_t kStatementsMax = 64;
constexpr std::size_t kPlaceholdersMax = 60'000;  // the protocol's limit is 65,535
constexpr std::size_t kChunkRows = 200;

// The first call of get_driver_instance() is not thread-safe.
::sql::Driver& driver() {
  static std::once_flag once;
  static ::sql::Driver* instance = nullptr;
  std::call_once(once, [] { instance = get_driver_instance(); });
  return *instance;
}

// The client library keeps memory for each thread that uses it, which threadEnd() frees.
void enterThread() {
  struct Entered {
    Entered() { driver().threadInit(); }
    ~Entered() { driver().threadEnd(); }
  };
  thread_local const Entered entered;
}

enum class CellKind { kInteger, kUnsigned, kDateTime, kText };

CellKind kindOf(::sql::ResultSetMetaData& about, unsigned column) {
  try {
    switch (about.getColumnType(column)) {
      case ::sql::DataType::TINYINT:
      case ::sql::DataType::SMALLINT:
      case ::sql::DataType::MEDIUMINT:
      case ::sql::DataType::INTEGER:
      case ::sql::DataType::YEAR:
        return CellKind::kInteger;
      case ::sql::DataType::BIGINT:
        return about.isSigned(column) ? CellKind::kInteger : CellKind::kUnsigned;
      case ::sql::DataType::TIMESTAMP:  // DATETIME too
        return CellKind::kDateTime;
      default:
        return CellKind::kText;
    }
  } catch (const ::sql::SQLException&) {
    return CellKind::kText;  // a collation that this library does not know, and only text has one
  }
}

// Reads the rows of one result; the kinds of its columns are looked up once.
class RowReader {
 public:
  explicit RowReader(::sql::ResultSet& result) : result_(result) {
    ::sql::ResultSetMetaData& about = *result.getMetaData();  // belongs to the result
    const unsigned columns = about.getColumnCount();
    for (unsigned i = 1; i <= columns; ++i) {
      kinds_.push_back(kindOf(about, i));
    }
  }

  [[nodiscard]] Row read() const {
    std::vector<Value> cells;
    cells.reserve(kinds_.size());
    for (unsigned i = 0; i < kinds_.size(); ++i) {
      cells.push_back(cell(i + 1, kinds_[i]));
    }
    return Row(std::move(cells));
  }

 private:
  [[nodiscard]] Value cell(unsigned column, CellKind kind) const {
    if (result_.isNull(column)) {
      return nullptr;
    }
    if (kind == CellKind::kInteger) {
      return static_cast<std::int64_t>(result_.getInt64(column));
    }
    std::string text = result_.getString(column).asStdString();
    if (kind == CellKind::kUnsigned) {
      const auto number = base::parseInteger(text);
      return number ? Value(*number) : Value(std::move(text));
    }
    constexpr std::size_t kWithoutFraction = 19;
    if (kind == CellKind::kDateTime && text.size() == kWithoutFraction) {
      text += ".000000";  // the binary protocol omits a fraction of zero
    }
    return text;
  }

  ::sql::ResultSet& result_;
  std::vector<CellKind> kinds_;
};

void bind(::sql::PreparedStatement& statement, unsigned index, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    statement.setInt64(index, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    statement.setString(index, *text);
  } else {
    statement.setNull(index, 0);
  }
}

void bindAll(::sql::PreparedStatement& statement, const std::vector<Value>& parameters) {
  statement.clearParameters();
  unsigned index = 0;
  for (const auto& parameter : parameters) {
    bind(statement, ++index, parameter);
  }
}

::sql::ConnectOptionsMap optionsOf(const PoolSettings& settings) {
  ::sql::ConnectOptionsMap options;
  const auto text = [](std::string_view value) { return ::sql::SQLString(std::string(value)); };
  const int seconds = static_cast<int>(settings.timeout.count());
  options["hostName"] = text("tcp://" + settings.host + ":" + std::to_string(settings.port));
  options["userName"] = text(settings.user);
  options["password"] = text(settings.password);
  options["schema"] = text(settings.database);
  options["OPT_CHARSET_NAME"] = text("utf8mb4");
  options["OPT_CONNECT_TIMEOUT"] = seconds;
  options["OPT_READ_TIMEOUT"] = seconds;
  options["OPT_WRITE_TIMEOUT"] = seconds;
  options["OPT_RECONNECT"] = false;
  if (!settings.ca_file.empty()) {
    options["sslCA"] = text(settings.ca_file);
    options["sslEnforce"] = true;
    options["sslVerify"] = true;
  }
  return options;
}

// What our SQL relies on, whatever the server's defaults are. A lock wait must end before the read timeout, which would cost the
// connection.
std::string sessionSql(const PoolSettings& settings) {
  const auto lock_wait = std::max<std::int64_t>(1, settings.timeout.count() / 2);
  return "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_TRANS_TABLES,"
         "NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', SESSION innodb_lock_wait_timeout = " +
         std::to_string(lock_wait);
}

}  // namespace

base::Result<std::unique_ptr<Connection>> Connection::open(const PoolSettings& settings) {
  enterThread();
  try {
    auto options = optionsOf(settings);
    std::unique_ptr<Connection> connection(new Connection(std::unique_ptr<::sql::Connection>(driver().connect(options))));
    const std::unique_ptr<::sql::Statement> statement(connection->connection_->createStatement());
    statement->execute(sessionSql(settings));
    statement->execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    return connection;
  } catch (const ::sql::SQLException& error) {
    return base::fail(base::ErrorCode::kUnavailable, "cannot connect to MySQL as " + settings.user + "@" + settings.host + ":" +
                                                         std::to_string(settings.port) + "/" + settings.database + ": " + error.what() +
                                                         " (" + std::to_string(error.getErrorCode()) + ")");
  } catch (const std::exception& error) {
    return base::fail(base::ErrorCode::kInternal, std::string("MySQL client: ") + error.what());
  }
}

Connection::~Connection() {
  enterThread();
  by_sql_.clear();
  statements_.clear();
}

base::Error Connection::check(const ::sql::SQLException& error) {
  const int number = error.getErrorCode();
  const ErrorMeaning meaning = meaningOf(number);
  broken_ = broken_ || meaning.connection_lost;
  must_retry_ = must_retry_ || meaning.retry_transaction;
  return {meaning.code, std::string(error.what()) + " (" + std::to_string(number) + ")"};
}

template <class T>
base::Result<T> Connection::guarded(const std::function<T()>& work) {
  if (broken_) {
    return base::fail(base::ErrorCode::kUnavailable, "the MySQL connection is lost");
  }
  enterThread();
  try {
    return work();
  } catch (const ::sql::SQLException& error) {
    return tl::unexpected(check(error));
  }
}

template <class T>
base::Result<T> Connection::withPrepared(std::string_view sql, const std::function<T(::sql::PreparedStatement&)>& work) {
  return guarded<T>([&]() -> T {
    try {
      return work(*prepared(sql));
    } catch (const ::sql::SQLException& error) {
      if (!meaningOf(error.getErrorCode()).prepare_again) {
        throw;
      }
    }
    forget(sql);
    return work(*prepared(sql));
  });
}

Connection::Statement Connection::prepared(std::string_view sql) {
  if (const auto found = by_sql_.find(sql); found != by_sql_.end()) {
    statements_.splice(statements_.begin(), statements_, found->second);
    return found->second->statement;
  }
  Statement statement(connection_->prepareStatement(std::string(sql)));
  statements_.push_front({std::string(sql), statement});
  by_sql_.emplace(statements_.front().sql, statements_.begin());
  if (statements_.size() > kStatementsMax) {
    forget(std::string(statements_.back().sql));
  }
  return statement;
}

void Connection::forget(std::string_view sql) {
  if (const auto found = by_sql_.find(sql); found != by_sql_.end()) {
    const auto entry = found->second;
    by_sql_.erase(found);
    statements_.erase(entry);
  }
}

base::Result<Rows> Connection::query(std::string_view sql, const std::vector<Value>& parameters) {
  Rows rows;
  if (parameters.empty()) {
    TG_TRY(each(sql, parameters, [&rows](const Row& row) { rows.push_back(row); }));
    return rows;
  }
  const auto done = withPrepared<int>(sql, [&](::sql::PreparedStatement& statement) {
    bindAll(statement, parameters);
    const std::unique_ptr<::sql::ResultSet> result(statement.executeQuery());
    const RowReader reader(*result);
    while (result->next()) {
      rows.push_back(reader.read());
    }
    return 0;
  });
  TG_TRY(done);
  return rows;
}

base::Result<void> Connection::each(std::string_view sql, const std::vector<Value>& parameters,
                                    const std::function<void(const Row&)>& take) {
  if (!parameters.empty()) {
    TG_TRY_ASSIGN(rows, query(sql, parameters));
    std::for_each(rows.begin(), rows.end(), take);
    return {};
  }
  const auto done = guarded<int>([&] {
    const std::unique_ptr<::sql::Statement> statement(connection_->createStatement());
    statement->setResultSetType(::sql::ResultSet::TYPE_FORWARD_ONLY);  // rows are read from the socket one by one
    const std::unique_ptr<::sql::ResultSet> result(statement->executeQuery(std::string(sql)));
    const RowReader reader(*result);
    while (result->next()) {
      take(reader.read());
    }
    return 0;
  });
  TG_TRY(done);
  return {};
}

base::Result<std::uint64_t> Connection::execute(std::string_view sql, const std::vector<Value>& parameters) {
  if (parameters.empty()) {
    return guarded<std::uint64_t>([&] {
      const std::unique_ptr<::sql::Statement> statement(connection_->createStatement());
      return static_cast<std::uint64_t>(statement->executeUpdate(std::string(sql)));
    });
  }
  return withPrepared<std::uint64_t>(sql, [&](::sql::PreparedStatement& statement) {
    bindAll(statement, parameters);
    return static_cast<std::uint64_t>(statement.executeUpdate());
  });
}

base::Result<std::uint64_t> Connection::insertChunk(std::string_view head, const std::vector<std::vector<Value>>& rows, std::size_t first,
                                                    std::size_t count, std::string_view tail) {
  const std::string one_row = "(" + marks(rows[first].size()) + ")";
  std::string sql = "INSERT INTO ";
  sql.append(head).append(" VALUES ");
  sql.reserve(sql.size() + count * (one_row.size() + 1) + tail.size() + 1);
  for (std::size_t i = 0; i < count; ++i) {
    sql.append(i == 0 ? "" : ",").append(one_row);
  }
  sql.append(" ").append(tail);
  return withPrepared<std::uint64_t>(sql, [&](::sql::PreparedStatement& statement) {
    unsigned index = 0;  // every parameter is bound again, so none needs clearing
    for (std::size_t i = first; i < first + count; ++i) {
      for (const auto& value : rows[i]) {
        bind(statement, ++index, value);
      }
    }
    return static_cast<std::uint64_t>(statement.executeUpdate());
  });
}

base::Result<std::uint64_t> Connection::insertMany(std::string_view head, const std::vector<std::vector<Value>>& rows,
                                                   std::string_view tail) {
  if (rows.empty()) {
    return 0;
  }
  const std::size_t columns = rows.front().size();
  if (columns == 0 || std::any_of(rows.begin(), rows.end(), [columns](const auto& row) { return row.size() != columns; })) {
    return base::fail(base::ErrorCode::kInvalid, "insertMany: the rows have different numbers of columns");
  }
  const std::size_t chunk_max = std::clamp<std::size_t>(kPlaceholdersMax / columns, 1, kChunkRows);
  std::uint64_t affected = 0;
  std::size_t done = 0;
  while (done < rows.size()) {
    const std::size_t left = rows.size() - done;
    std::size_t count = chunk_max;
    if (left < chunk_max) {  // the rest in powers of two: few different statements, so each is worth keeping prepared
      count = 1;
      while (count * 2 <= left) {
        count *= 2;
      }
    }
    TG_TRY_ASSIGN(changed, insertChunk(head, rows, done, count, tail));
    affected += changed;
    done += count;
  }
  return affected;
}

base::Result<std::int64_t> Connection::lastInsertId() {
  TG_TRY_ASSIGN(rows, query("SELECT LAST_INSERT_ID()", {}));
  return rows.empty() ? 0 : rows.front().integer(0);
}

bool Connection::answers() {
  return query("SELECT 1", {}).has_value();
}

}  // namespace tollgate::sql
