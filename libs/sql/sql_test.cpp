// Against a real MariaDB: what the rest relies on, and the traps of the client library that the wrapper closes.
#include "libs/sql/sql.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <limits>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "libs/sql/errors.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::sql {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::settingsOf;

class Sql : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new testkit::MariaDb; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override { server_->start(); }

  static PoolSettings settings(std::size_t connections = 4, std::chrono::seconds timeout = 10s) {
    PoolSettings settings = settingsOf(*server_);
    settings.connections_max = connections;
    settings.timeout = timeout;
    return settings;
  }

  static void recreate(const std::string& table, const std::string& columns) {
    server_->runSql("DROP TABLE IF EXISTS " + table + "; CREATE TABLE " + table + " (" + columns +
                    ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;");
  }

  static base::Result<std::uint64_t> execute(Pool& pool, std::string_view sql, const std::vector<Value>& parameters = {}) {
    return pool.use<std::uint64_t>([&](Session& session) { return session.execute(sql, parameters); });
  }
  static base::Result<Rows> query(Pool& pool, std::string_view sql, const std::vector<Value>& parameters = {}) {
    return pool.use<Rows>([&](Session& session) { return session.query(sql, parameters); });
  }

  static testkit::MariaDb* server_;
};

testkit::MariaDb* Sql::server_ = nullptr;

TEST_F(Sql, KeepsEveryTypeExactlyInBothProtocols) {
  recreate("kinds",
           "id BIGINT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED, small TINYINT, d DECIMAL(20,6), t DATETIME(6), s TEXT, b VARBINARY(16)");
  Pool pool(settings());
  const std::string binary("a\0b\xff", 4);
  const std::string unicode = "Ереван 🙂 \"quoted\" \\ 'and' %s";
  ASSERT_EQ(execute(pool, "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    {std::int64_t{1}, std::numeric_limits<std::int64_t>::min(), std::string("18446744073709551615"), std::int64_t{-1},
                     std::string("12345678901234.123456"), std::string("2026-11-21 10:20:30.000000"), unicode, binary})
                .value(),
            1U);
  ASSERT_TRUE(execute(pool, "INSERT INTO kinds VALUES (?, ?, NULL, NULL, ?, ?, ?, ?)",
                      {std::int64_t{2}, nullptr, nullptr, nullptr, nullptr, nullptr}));
  for (const auto& rows :
       {query(pool, "SELECT * FROM kinds ORDER BY id"), query(pool, "SELECT * FROM kinds WHERE id > ? ORDER BY id", {std::int64_t{0}})}) {
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), 2U);
    const Row& full = (*rows)[0];
    EXPECT_EQ(full.value(1), Value(std::numeric_limits<std::int64_t>::min()));
    EXPECT_EQ(full.text(2), "18446744073709551615");
    EXPECT_EQ(full.integer(3), -1);
    EXPECT_EQ(full.text(4), "12345678901234.123456");
    EXPECT_EQ(full.value(5), Value(std::string("2026-11-21 10:20:30.000000")));
    EXPECT_EQ(full.text(6), unicode);
    EXPECT_EQ(full.text(7), binary);
    for (std::size_t column = 1; column < 8; ++column) {
      EXPECT_TRUE((*rows)[1].isNull(column));
      EXPECT_EQ((*rows)[1].integer(column), 0);
      EXPECT_EQ((*rows)[1].text(column), "");
    }
  }
}

TEST_F(Sql, SumsAndCountsAreIntegersForTheCaller) {
  recreate("sums", "amount BIGINT NOT NULL");
  Pool pool(settings());
  ASSERT_TRUE(execute(pool, "INSERT INTO sums VALUES (9000000000000000), (-1)"));
  const auto rows = query(pool, "SELECT SUM(amount), COUNT(*) FROM sums");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].integer(0), 8'999'999'999'999'999);
  EXPECT_EQ((*rows)[0].integer(1), 2);
  EXPECT_EQ((*rows)[0].text(1), "2");
}

TEST_F(Sql, TimesGoThereAndBack) {
  const base::WallTime time{std::chrono::microseconds(1'795'256'430'000'007)};
  EXPECT_EQ(std::get<std::string>(fromTime(time)), "2026-11-21 10:20:30.000007");
  EXPECT_EQ(toTime(fromTime(time)).value(), time);
  EXPECT_EQ(toTime(Value(std::string("2026-11-21 10:20:30"))).value(), time - 7us);
  for (const std::string bad : {"", "2026-11-21", "2026-02-30 00:00:00.000000", "2026-11-21 24:00:00.000000", "2026-11-21T10:20:30.000000",
                                "2026-11-21 10:20:30.00000x", "2026-11--1 10:20:30.000000"}) {
    EXPECT_FALSE(toTime(Value(bad))) << bad;
  }
  EXPECT_FALSE(toTime(Value(nullptr)));
}

TEST_F(Sql, SessionIsStrictAndUtc) {
  recreate("strict", "s VARCHAR(3), at DATETIME(6) NOT NULL DEFAULT UTC_TIMESTAMP(6)");
  Pool pool(settings());
  EXPECT_EQ(execute(pool, "INSERT INTO strict (s) VALUES (?)", {std::string("four")}).error().code, ErrorCode::kInvalid);
  const auto rows = query(pool, "SELECT @@time_zone, @@collation_connection, NOW(0) = UTC_TIMESTAMP(0)");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].text(0), "+00:00");
  EXPECT_EQ((*rows)[0].text(1), "utf8mb4_unicode_ci");
  EXPECT_EQ((*rows)[0].integer(2), 1);
  const auto isolation = query(pool, "SHOW VARIABLES LIKE 't%_isolation'");  // tx_ or transaction_isolation
  EXPECT_EQ(isolation.value().at(0).text(1), "REPEATABLE-READ");
}

TEST_F(Sql, TellsConflictsFromOtherErrors) {
  recreate("parents", "id BIGINT PRIMARY KEY");
  server_->runSql("DROP TABLE IF EXISTS children; CREATE TABLE children (parent BIGINT, FOREIGN KEY (parent) REFERENCES parents (id))");
  Pool pool(settings());
  ASSERT_TRUE(execute(pool, "INSERT INTO parents VALUES (1)"));
  EXPECT_EQ(execute(pool, "INSERT INTO parents VALUES (?)", {std::int64_t{1}}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(execute(pool, "INSERT INTO children VALUES (2)").error().code, ErrorCode::kConflict);
  ASSERT_TRUE(execute(pool, "INSERT INTO children VALUES (1)"));
  EXPECT_EQ(execute(pool, "DELETE FROM parents").error().code, ErrorCode::kConflict);
  EXPECT_EQ(execute(pool, "SELEKT 1").error().code, ErrorCode::kInternal);
  EXPECT_EQ(query(pool, "SELECT * FROM nowhere WHERE id = ?", {std::int64_t{1}}).error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(query(pool, "SELECT ?, ?", {std::int64_t{1}}));                    // too few
  EXPECT_FALSE(query(pool, "SELECT ?", {std::int64_t{1}, std::int64_t{2}}));      // too many
  EXPECT_FALSE(query(pool, "SELECT * FROM parents WHERE id = 1 OR id = ?", {}));  // none
  EXPECT_TRUE(pool.ping());
  server_->runSql("DROP TABLE children");
}

TEST_F(Sql, LastInsertIdBelongsToTheSession) {
  recreate("numbered", "id BIGINT AUTO_INCREMENT PRIMARY KEY, s TEXT");
  Pool pool(settings());
  const auto id = pool.use<std::int64_t>([](Session& session) -> base::Result<std::int64_t> {
    TG_TRY(session.execute("INSERT INTO numbered (id, s) VALUES (41, 'a')", {}));
    TG_TRY(session.execute("INSERT INTO numbered (s) VALUES (?)", {std::string("b")}));
    return session.lastInsertId();
  });
  EXPECT_EQ(id.value(), 42);
}

TEST_F(Sql, TransactionIsRolledBackOnErrorAndException) {
  recreate("moves", "id BIGINT PRIMARY KEY");
  Pool pool(settings());
  const auto failed = pool.transaction<int>([](Session& session) -> base::Result<int> {
    TG_TRY(session.execute("INSERT INTO moves VALUES (1)", {}));
    return base::fail(ErrorCode::kNotFound, "changed my mind");
  });
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
  EXPECT_THROW((void)pool.transaction<int>([](Session& session) -> base::Result<int> {
    TG_TRY(session.execute("INSERT INTO moves VALUES (2)", {}));
    throw std::runtime_error("oops");
  }),
               std::runtime_error);
  EXPECT_EQ(query(pool, "SELECT COUNT(*) FROM moves").value()[0].integer(0), 0);
  const auto kept = pool.transaction<std::string>([](Session& session) -> base::Result<std::string> {
    TG_TRY(session.execute("INSERT INTO moves VALUES (3)", {}));
    return "kept";
  });
  EXPECT_EQ(kept.value(), "kept");
  EXPECT_EQ(query(pool, "SELECT COUNT(*) FROM moves").value()[0].integer(0), 1);
}

// Each of two transactions locks its row, then asks for the other's. The server rolls one of them back, and that one must run again.
TEST_F(Sql, DeadlockVictimIsRunAgain) {
  recreate("pairs", "id BIGINT PRIMARY KEY, n BIGINT NOT NULL");
  Pool pool(settings());
  ASSERT_TRUE(execute(pool, "INSERT INTO pairs VALUES (1, 0), (2, 0)"));
  std::latch both_locked(2);
  std::atomic<int> runs = 0;
  const auto swap = [&](std::int64_t first, std::int64_t second) {
    bool waited = false;
    return pool.transaction<int>([&, waited](Session& session) mutable -> base::Result<int> {
      ++runs;
      TG_TRY(session.execute("UPDATE pairs SET n = n + 1 WHERE id = ?", {first}));
      if (!waited) {
        waited = true;
        both_locked.arrive_and_wait();
      }
      // Work that ignores the statement's error must run again too, because the server has rolled back all of it.
      (void)session.execute("UPDATE pairs SET n = n + 1 WHERE id = ?", {second});
      return 0;
    });
  };
  auto other = std::async(std::launch::async, [&] { return swap(2, 1); });
  EXPECT_TRUE(swap(1, 2));
  EXPECT_TRUE(other.get());
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(query(pool, "SELECT SUM(n) FROM pairs").value()[0].integer(0), 4);
}

TEST_F(Sql, InsertsManyRowsInChunks) {
  recreate("many", "id BIGINT PRIMARY KEY, name VARCHAR(20) NULL");
  Pool pool(settings());
  std::vector<std::vector<Value>> rows;
  for (std::int64_t i = 0; i < 1234; ++i) {
    rows.push_back({i, i % 7 == 0 ? Value(nullptr) : Value("n" + std::to_string(i))});
  }
  const auto insert = [&](std::string_view tail) {
    return pool.transaction<std::uint64_t>([&](Session& session) { return session.insertMany("many (id, name)", rows, tail); });
  };
  EXPECT_EQ(insert("").value(), 1234U);
  EXPECT_EQ(insert("ON DUPLICATE KEY UPDATE id = id").value(), 0U);
  EXPECT_EQ(insert("").error().code, ErrorCode::kConflict);
  const auto stored = query(pool, "SELECT id, name FROM many ORDER BY id").value();
  ASSERT_EQ(stored.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(stored[i].value(0), rows[i][0]);
    ASSERT_EQ(stored[i].value(1), rows[i][1]);
  }
  EXPECT_EQ(pool.use<std::uint64_t>([](Session& session) { return session.insertMany("many (id, name)", {}, ""); }).value(), 0U);
  EXPECT_EQ(pool.use<std::uint64_t>([](Session& session) {
                  return session.insertMany("many (id, name)", {{std::int64_t{1}, nullptr}, {std::int64_t{2}}}, "");
                })
                .error()
                .code,
            ErrorCode::kInvalid);
}

TEST_F(Sql, StreamsRowsOfAnyLength) {
  recreate("long_rows", "id BIGINT PRIMARY KEY, body LONGTEXT NOT NULL");
  Pool pool(settings());
  std::vector<std::vector<Value>> rows;
  for (std::int64_t i = 0; i < 300; ++i) {
    rows.push_back({i, std::string(static_cast<std::size_t>(i * 100), static_cast<char>('a' + i % 26))});
  }
  ASSERT_TRUE(pool.use<std::uint64_t>([&](Session& session) { return session.insertMany("long_rows", rows, ""); }));
  for (const std::vector<Value>& parameters : {std::vector<Value>{}, std::vector<Value>{std::int64_t{0}}}) {
    std::size_t seen = 0;
    const auto done = pool.use<int>([&](Session& session) -> base::Result<int> {
      TG_TRY(session.each(
          parameters.empty() ? "SELECT id, body FROM long_rows ORDER BY id" : "SELECT id, body FROM long_rows WHERE id >= ? ORDER BY id",
          parameters, [&](const Row& row) {
            EXPECT_EQ(row.text(1), std::get<std::string>(rows[seen][1]));
            ++seen;
          }));
      TG_TRY(session.query("SELECT 1", {}));  // nothing is left on the wire
      return 0;
    });
    EXPECT_TRUE(done);
    EXPECT_EQ(seen, rows.size());
  }
}

TEST_F(Sql, KeepsOnlySoManyPreparedStatements) {
  Pool pool(settings(1));
  for (int i = 0; i < 200; ++i) {
    const auto rows = query(pool, "SELECT ? + " + std::to_string(i), {std::int64_t{1}});
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ((*rows)[0].integer(0), i + 1);
  }
  const auto open = query(pool, "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").value()[0].integer(1);
  EXPECT_LE(open, 64);
  EXPECT_GE(open, 60);
}

TEST_F(Sql, PreparedStatementSurvivesAChangedTable) {
  recreate("altered", "id BIGINT PRIMARY KEY");
  Pool pool(settings(1));
  ASSERT_TRUE(execute(pool, "INSERT INTO altered VALUES (?)", {std::int64_t{1}}));
  ASSERT_EQ(query(pool, "SELECT * FROM altered WHERE id = ?", {std::int64_t{1}}).value()[0].size(), 1U);
  server_->runSql("ALTER TABLE altered ADD COLUMN name VARCHAR(10) NOT NULL DEFAULT 'x'");
  const auto rows = query(pool, "SELECT * FROM altered WHERE id = ?", {std::int64_t{1}});
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].text(1), "x");
}

TEST_F(Sql, KilledServerIsUnavailableAndThenServesAgain) {
  recreate("survivors", "id BIGINT PRIMARY KEY");
  Pool pool(settings(3));
  ASSERT_TRUE(pool.transaction<std::uint64_t>([](Session& session) { return session.execute("INSERT INTO survivors VALUES (1)", {}); }));
  // Three connections lie idle when the server goes.
  std::latch all(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      EXPECT_TRUE(pool.use<Rows>([&](Session& session) {
        all.arrive_and_wait();
        return session.query("SELECT 1", {});
      }));
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  server_->kill();
  EXPECT_EQ(execute(pool, "INSERT INTO survivors VALUES (2)").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(pool.ping().error().code, ErrorCode::kUnavailable);
  server_->start();
  for (int i = 0; i < 3; ++i) {  // none of the dead connections is handed out again
    EXPECT_TRUE(pool.ping());
  }
  EXPECT_EQ(query(pool, "SELECT id FROM survivors").value().size(), 1U);
}

TEST_F(Sql, TransactionGoesOnWithAnotherConnectionAfterARestart) {
  telemetry::Metrics registry;
  const PoolMetrics metrics(registry, "probe");
  Pool pool(settings(1), metrics);
  ASSERT_TRUE(pool.ping());
  server_->restart();
  EXPECT_TRUE(pool.transaction<Rows>([](Session& session) { return session.query("SELECT 1", {}); }));
  EXPECT_EQ(metrics.connections_lost.value(), 1);
}

TEST_F(Sql, HungServerEndsAtTheTimeout) {
  Pool pool(settings(1, 1s));
  EXPECT_EQ(query(pool, "SELECT SLEEP(30)").error().code, ErrorCode::kUnavailable);  // a row if it had waited for the server
  EXPECT_TRUE(pool.ping());
}

TEST_F(Sql, LockWaitEndsBeforeTheConnectionDoes) {
  recreate("locked", "id BIGINT PRIMARY KEY, n BIGINT NOT NULL");
  Pool pool(settings(2, 2s));
  ASSERT_TRUE(execute(pool, "INSERT INTO locked VALUES (1, 0)"));
  const auto outcome = pool.transaction<int>([&](Session& holder) -> base::Result<int> {
    TG_TRY(holder.execute("UPDATE locked SET n = 1 WHERE id = 1", {}));
    const auto waited = execute(pool, "UPDATE locked SET n = 2 WHERE id = 1");
    EXPECT_EQ(waited.error().code, ErrorCode::kTimeout) << waited.error().message;
    return 0;
  });
  EXPECT_TRUE(outcome);
}

TEST_F(Sql, PoolIsBounded) {
  telemetry::Metrics registry;
  const PoolMetrics metrics(registry, "probe");
  Pool pool(settings(1, 1s), metrics);
  const auto outcome = pool.use<Rows>([&](Session&) { return query(pool, "SELECT 1"); });
  EXPECT_EQ(outcome.error().code, ErrorCode::kOverLimit);
  EXPECT_EQ(metrics.waits_timed_out.value(), 1);
  EXPECT_TRUE(pool.ping());
}

TEST_F(Sql, WrongPasswordSaysWho) {
  auto wrong = settings();
  wrong.password = "not-this-one";
  Pool pool(wrong);
  const auto answer = pool.ping();
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(answer.error().message.find("tollgate@127.0.0.1"), std::string::npos);
  EXPECT_EQ(answer.error().message.find("not-this-one"), std::string::npos);
}

TEST_F(Sql, ManyThreadsCountToTheSameSum) {
  recreate("counter", "id BIGINT PRIMARY KEY, n BIGINT NOT NULL");
  Pool pool(settings(4));
  ASSERT_TRUE(execute(pool, "INSERT INTO counter VALUES (1, 0)"));
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 25; ++k) {
        const auto done = pool.transaction<std::uint64_t>([](Session& session) -> base::Result<std::uint64_t> {
          TG_TRY_ASSIGN(rows, session.query("SELECT n FROM counter WHERE id = ? FOR UPDATE", {std::int64_t{1}}));
          return session.execute("UPDATE counter SET n = ? WHERE id = ?", {rows[0].integer(0) + 1, std::int64_t{1}});
        });
        failures += done ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(query(pool, "SELECT n FROM counter").value()[0].integer(0), 200);
}

TEST_F(Sql, SnapshotSeesOneMomentAndCannotWrite) {
  recreate("moment", "id BIGINT PRIMARY KEY");
  Pool pool(settings());
  const auto count = pool.snapshot<std::int64_t>([&](Session& session) -> base::Result<std::int64_t> {
    EXPECT_TRUE(execute(pool, "INSERT INTO moment VALUES (1)"));
    EXPECT_FALSE(session.execute("INSERT INTO moment VALUES (2)", {}));
    TG_TRY_ASSIGN(rows, session.query("SELECT COUNT(*) FROM moment", {}));
    return rows[0].integer(0);
  });
  EXPECT_EQ(count.value(), 0);
  EXPECT_EQ(query(pool, "SELECT COUNT(*) FROM moment").value()[0].integer(0), 1);
  EXPECT_TRUE(execute(pool, "INSERT INTO moment VALUES (2)"));
}

TEST(SqlErrors, LostConnectionsAreNeverKept) {
  for (const int number : {2002, 2003, 2006, 2013, 2055, 1053, 1927, 4031}) {
    EXPECT_TRUE(meaningOf(number).connection_lost) << number;
    EXPECT_EQ(meaningOf(number).code, ErrorCode::kUnavailable) << number;
  }
  for (const int number : {1205, 1213, 1020}) {
    EXPECT_TRUE(meaningOf(number).retry_transaction) << number;
    EXPECT_FALSE(meaningOf(number).connection_lost) << number;
  }
}

// REQUIREMENTS 10.7: whoever reads kInvalid gives the values up, so nothing else may be kInvalid.
TEST(SqlErrors, OnlyValuesAreInvalid) {
  const std::set<int> values{1048, 1264, 1265, 1292, 1366, 1406, 1411, 1690, 3140, 3819, 4025};
  for (int number = 0; number < 100'000; ++number) {
    EXPECT_EQ(meaningOf(number).code == ErrorCode::kInvalid, values.contains(number)) << number;
  }
  for (const int number : {28, 1021, 1030, 1044, 1045, 1049, 1054, 1114, 1142, 1143, 1146, 1290, 1370, 1792, 1836, 9001, 9999}) {
    EXPECT_EQ(meaningOf(number).code, ErrorCode::kUnavailable) << number;
  }
}

TEST_F(Sql, SaysWhichValuesAreAtFault) {
  recreate("picky", "small TINYINT NOT NULL, name VARCHAR(3), at DATETIME(6), CHECK (small < 100)");
  Pool pool(settings());
  const auto codeOf = [&](const Value& small, const Value& name, const Value& at) {
    const auto inserted = execute(pool, "INSERT INTO picky (small, name, at) VALUES (?, ?, ?)", {small, name, at});
    return inserted ? std::string("stored") : std::string(base::errorCodeName(inserted.error().code)) + inserted.error().message;
  };
  const std::string invalid(base::errorCodeName(ErrorCode::kInvalid));
  const Value good = std::string("2026-11-21 10:20:30");
  EXPECT_EQ(codeOf(std::int64_t{1}, std::string("abc"), good), "stored");
  EXPECT_TRUE(codeOf(std::int64_t{1000}, std::string("abc"), good).starts_with(invalid));
  EXPECT_TRUE(codeOf(std::int64_t{101}, std::string("abc"), good).starts_with(invalid));
  EXPECT_TRUE(codeOf(nullptr, std::string("abc"), good).starts_with(invalid));
  EXPECT_TRUE(codeOf(std::int64_t{1}, std::string("abcd"), good).starts_with(invalid));
  EXPECT_TRUE(codeOf(std::int64_t{1}, std::string("\xff\xfe"), good).starts_with(invalid));
  EXPECT_TRUE(codeOf(std::int64_t{1}, std::string("abc"), std::string("2026-02-30 00:00:00")).starts_with(invalid));
}

}  // namespace
}  // namespace tollgate::sql
