// scripts/migrate against a real server.
#include <csignal>
#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::testkit {
namespace {

using namespace std::chrono_literals;

class Migrate : public ::testing::Test {
 protected:
  Migrate() {
    server_.runSql("CREATE DATABASE scratch");
    writeFile(work_.file("password"), std::string(MariaDb::kPassword) + "\n");
    std::filesystem::create_directory(work_.file("migrations"));
    put("0001_first.sql", kFirst);
    put("0002_second.sql", "ALTER TABLE one ADD COLUMN name VARCHAR(10) NOT NULL DEFAULT 'a;b'");  // no semicolon, no line end
  }

  void put(const std::string& name, const std::string& content) { writeFile(work_.file("migrations/" + name), content); }

  struct Outcome {
    int code = -1;
    std::string said;
  };

  Child::Options optionsOf(const std::vector<std::string>& more, const std::string& tag) {
    Child::Options options;
    options.command = {std::string(TOLLGATE_SOURCE_DIR) + "/scripts/migrate",
                       "--port",
                       std::to_string(server_.port()),
                       "--user",
                       MariaDb::kUser,
                       "--password-file",
                       work_.file("password"),
                       "--database",
                       "scratch",
                       "--directory",
                       work_.file("migrations")};
    options.command.insert(options.command.end(), more.begin(), more.end());
    options.output_file = work_.file("said." + tag);
    writeFile(options.output_file, "");
    return options;
  }

  Outcome run(const std::vector<std::string>& more = {}, const std::string& tag = "a") {
    const auto options = optionsOf(more, tag);
    const auto code = runToEnd(options, 60s);
    return {code.value_or(-1), readFile(options.output_file)};
  }

  std::string applied() {
    return server_.runSql("SELECT COALESCE(GROUP_CONCAT(name ORDER BY version), '') FROM scratch.schema_migrations");
  }

  static constexpr const char* kFirst = "CREATE TABLE one (id INT); -- a comment; with a semicolon\nINSERT INTO one VALUES (1), (2);\n";

  MariaDb server_;
  TempDir work_;
};

TEST_F(Migrate, AppliesInOrderOnceAndSaysSo) {
  const auto first = run();
  EXPECT_EQ(first.code, 0) << first.said;
  EXPECT_NE(first.said.find("applied 0001_first.sql\nmigrate: applied 0002_second.sql"), std::string::npos) << first.said;
  EXPECT_EQ(applied(), "0001_first.sql,0002_second.sql\n");
  EXPECT_EQ(server_.runSql("SELECT COUNT(*), MAX(name) FROM scratch.one"), "2\ta;b\n");
  const auto second = run();
  EXPECT_EQ(second.code, 0) << second.said;
  EXPECT_NE(second.said.find("up to date (0 applied now)"), std::string::npos) << second.said;
  put("0010_third.sql", "DROP TABLE one;\n\n-- the end\n");
  EXPECT_EQ(run({"--status"}).code, 1);
  EXPECT_EQ(run().code, 0);
  EXPECT_EQ(run({"--status"}).code, 0);
}

TEST_F(Migrate, RefusesAChangedFileAndOneThatComesTooLate) {
  ASSERT_EQ(run().code, 0);
  put("0001_first.sql", "CREATE TABLE one (id BIGINT);\n");
  auto outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("0001_first.sql was changed after it was applied"), std::string::npos) << outcome.said;
  put("0001_first.sql", kFirst);
  put("0004_fourth.sql", "DO 1;\n");
  ASSERT_EQ(run().code, 0);
  put("0003_third.sql", "DO 1;\n");
  outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("0003_third.sql comes before version 4"), std::string::npos) << outcome.said;
}

TEST_F(Migrate, FailedFileIsNotRecordedAndCanBeCorrected) {
  put("0002_second.sql", "ALTER TABLE nowhere ADD COLUMN x INT;\n");
  const auto failed = run();
  EXPECT_EQ(failed.code, 1);
  EXPECT_NE(failed.said.find("nowhere"), std::string::npos) << failed.said;
  EXPECT_NE(failed.said.find("0002_second.sql failed"), std::string::npos) << failed.said;
  EXPECT_EQ(applied(), "0001_first.sql\n");
  put("0002_second.sql", "ALTER TABLE one ADD COLUMN x INT;\n");
  EXPECT_EQ(run().code, 0);
}

TEST_F(Migrate, TwoAtTheSameTimeApplyEachFileOnce) {
  put("0003_slow.sql", "DO SLEEP(0.5);\nINSERT INTO one (id) VALUES (3);\n");
  auto other = std::async(std::launch::async, [this] { return run({}, "b"); });
  const auto one = run();
  const auto two = other.get();
  EXPECT_EQ(one.code, 0) << one.said;
  EXPECT_EQ(two.code, 0) << two.said;
  EXPECT_EQ(server_.runSql("SELECT COUNT(*) FROM scratch.one"), "3\n");
  EXPECT_NE((one.said + two.said).find("(0 applied now)"), std::string::npos) << one.said << two.said;
}

TEST_F(Migrate, SaysWhyItCannotConnect) {
  writeFile(work_.file("password"), "wrong \"and\" \\odd\n");
  auto outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("Access denied"), std::string::npos) << outcome.said;
  server_.stop();
  outcome = run({"--wait", "1"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("no server at 127.0.0.1:"), std::string::npos) << outcome.said;
  EXPECT_EQ(run({"--nonsense"}).code, 2);
  EXPECT_EQ(run({"--wait=-1"}).code, 2) << "the server would wait without end";
}

// The option file holds the password.
TEST_F(Migrate, RemovesItsOptionFileWhenItIsEndedBySignal) {
  put("0001_first.sql", "DO SLEEP(30);\n");
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    auto options = optionsOf({}, "signal" + std::to_string(number));
    const std::string temporary = work_.file("temporary" + std::to_string(number));
    std::filesystem::create_directory(temporary);
    options.environment["TMPDIR"] = temporary;
    auto child = Child::start(options);
    ASSERT_TRUE(child.has_value());
    ASSERT_TRUE(waitUntil([&] { return !std::filesystem::is_empty(temporary); }));
    (*child)->signal(number);
    EXPECT_EQ((*child)->waitExit(20s), 1) << number;
    EXPECT_TRUE(std::filesystem::is_empty(temporary)) << number;
  }
}

TEST_F(Migrate, RefusesWhatIsNotUtf8) {
  put("0001_first.sql", "CREATE TABLE one (id INT); -- \xff\n");
  auto outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("migrate: 0001_first.sql is not UTF-8"), std::string::npos) << outcome.said;
  writeFile(work_.file("password"), "\xff\n");
  outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.said.find("password is not UTF-8"), std::string::npos) << outcome.said;
}

TEST_F(Migrate, PasswordMayHoldAnyCharacter) {
  server_.runSql("CREATE USER 'odd'@'%' IDENTIFIED BY 'a\"b\\\\c #d\\'e'; GRANT ALL ON scratch.* TO 'odd'@'%'");
  writeFile(work_.file("password"), "a\"b\\c #d'e\n");
  const auto outcome = run({"--user", "odd"});
  EXPECT_EQ(outcome.code, 0) << outcome.said;
}

}  // namespace
}  // namespace tollgate::testkit
