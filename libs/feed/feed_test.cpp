// Against real MariaDB and NATS servers.
#include "libs/feed/feed.hpp"

#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "libs/bus/subjects.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::feed {
namespace {

using namespace std::chrono_literals;
using testkit::waitUntil;

// Keeps the customers' names, as a service keeps its tables.
class Names final : public Tables {
 public:
  base::Result<void> loadAll(sql::Session& session) override {
    const std::lock_guard lock(mutex_);
    ++loads_;
    if (fail_loads_ > 0) {
      --fail_loads_;
      throw std::runtime_error("the test wants it so");
    }
    next_.clear();
    return session.each("SELECT id, name FROM customers", {}, [this](const sql::Row& row) { next_[row.integer(0)] = row.text(1); });
  }

  base::Result<void> apply(sql::Session& session, const std::vector<Change>& changes) override {
    const std::lock_guard lock(mutex_);
    if (fail_applies_ > 0) {
      --fail_applies_;
      next_.clear();  // half done
      return base::fail(base::ErrorCode::kInternal, "the test wants it so");
    }
    applied_.push_back(changes);
    for (const auto& change : changes) {
      if (change.entity != "customer") {
        continue;
      }
      TG_TRY_ASSIGN(rows, session.query("SELECT name FROM customers WHERE id = ?", {change.entity_id}));
      EXPECT_EQ(rows.empty(), change.deleted);  // the rows are of the same moment as the changes
      if (change.deleted) {
        next_.erase(change.entity_id);
      } else {
        next_[change.entity_id] = rows.at(0).text(0);
      }
    }
    return {};
  }

  void publish(std::uint64_t version) override {
    const std::lock_guard lock(mutex_);
    current_ = next_;
    version_ = version;
    is_loaded_ = true;
  }

  bool isLoaded() {
    const std::lock_guard lock(mutex_);
    return is_loaded_;
  }
  std::uint64_t version() {
    const std::lock_guard lock(mutex_);
    return version_;
  }

  std::string name(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = current_.find(id);
    return found == current_.end() ? "" : found->second;
  }
  std::vector<std::vector<Change>> applied() {
    const std::lock_guard lock(mutex_);
    return applied_;
  }
  int loads() {
    const std::lock_guard lock(mutex_);
    return loads_;
  }
  void failLoads(int times) {
    const std::lock_guard lock(mutex_);
    fail_loads_ = times;
  }
  void failApplies(int times) {
    const std::lock_guard lock(mutex_);
    fail_applies_ = times;
  }

 private:
  std::mutex mutex_;
  std::map<std::int64_t, std::string> next_;
  std::map<std::int64_t, std::string> current_;
  std::vector<std::vector<Change>> applied_;
  std::uint64_t version_ = 0;
  bool is_loaded_ = false;
  int loads_ = 0;
  int fail_loads_ = 0;
  int fail_applies_ = 0;
};

class FeedTest : public ::testing::Test {
 protected:
  FeedTest() : pool_(testkit::settingsOf(mysql_)) {
    auto opened = bus::Connection::open(testkit::settingsOf(nats_), bus::ConnectionKind::kEvents);
    connection_ = std::move(opened.value());
  }

  // As admin_api does it; `statements` change rows, then each change gets its line.
  void change(const std::string& statements, const std::vector<std::pair<std::int64_t, std::string>>& lines) {
    std::string sql = "START TRANSACTION; " + statements + ";";
    for (const auto& [id, action] : lines) {
      sql +=
          "UPDATE config_state SET version = LAST_INSERT_ID(version + 1) WHERE id = 1;"
          "INSERT INTO config_changes VALUES (LAST_INSERT_ID(), 'customer', " +
          std::to_string(id) + ", '" + action + "', 'test', UTC_TIMESTAMP(6), NULL, NULL);";
    }
    mysql_.runSql(sql + "COMMIT;");
  }

  static std::string insert(std::int64_t id, const std::string& name) {
    return "INSERT INTO customers (id, name, country, billing_type, created_at, updated_at) VALUES (" + std::to_string(id) + ", '" + name +
           "', 'AM', 'prepaid', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))";
  }

  static constexpr auto kSeldom = std::chrono::hours(1);
  static constexpr auto kOften = 20ms;

  testkit::MariaDb mysql_;
  testkit::NatsServer nats_;
  sql::Pool pool_;
  std::unique_ptr<bus::Connection> connection_;
  Names names_;
  telemetry::Metrics registry_;
  FeedMetrics metrics_{registry_, "auth"};
};

TEST_F(FeedTest, LoadsAnEmptyDatabaseAndIsReady) {
  Feed feed(pool_, *connection_, names_, kSeldom, metrics_);
  EXPECT_FALSE(names_.isLoaded());
  ASSERT_TRUE(feed.start());
  EXPECT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  EXPECT_EQ(names_.version(), 0U);
  EXPECT_EQ(names_.loads(), 1);
  EXPECT_TRUE(waitUntil([&] { return metrics_.last_success.value() > 0; }));
  EXPECT_EQ(metrics_.full_loads.value(), 1);
}

// REQUIREMENTS 3.8: in force within one second.
TEST_F(FeedTest, FollowsAChangeOnTheEventWithoutPolling) {
  change(insert(1, "Alpha"), {{1, "saved"}});
  Feed feed(pool_, *connection_, names_, kSeldom, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.version() == 1; }));
  EXPECT_EQ(names_.name(1), "Alpha");
  change("UPDATE customers SET name = 'Beta' WHERE id = 1", {{1, "saved"}});
  ASSERT_TRUE(connection_->publish(bus::subjects::configChanged("customer"), ""));
  EXPECT_TRUE(waitUntil([&] { return names_.name(1) == "Beta"; }, 1s));
  EXPECT_EQ(names_.loads(), 1);
  EXPECT_EQ(metrics_.failures.value(), 0);
}

TEST_F(FeedTest, FollowsAChangeWithoutAnEventByPolling) {
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  nats_.kill();
  change(insert(7, "Gamma"), {{7, "saved"}});
  EXPECT_TRUE(waitUntil([&] { return names_.name(7) == "Gamma"; }));
}

TEST_F(FeedTest, HandsOverTheLastChangeOfEachRowInOrder) {
  Feed feed(pool_, *connection_, names_, kSeldom, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  change(insert(1, "A") + ";" + insert(2, "B"), {{1, "saved"}, {2, "saved"}, {1, "saved"}, {3, "saved"}, {3, "deleted"}});
  ASSERT_TRUE(connection_->publish(bus::subjects::configChanged("customer"), ""));
  ASSERT_TRUE(waitUntil([&] { return names_.version() == 5; }));
  const auto applied = names_.applied();
  ASSERT_EQ(applied.size(), 1U);
  ASSERT_EQ(applied[0].size(), 3U);
  EXPECT_EQ(applied[0][0].entity_id, 2);
  EXPECT_EQ(applied[0][1].entity_id, 1);
  EXPECT_EQ(applied[0][1].version, 3U);
  EXPECT_EQ(applied[0][2].entity_id, 3);
  EXPECT_TRUE(applied[0][2].deleted);
  EXPECT_EQ(applied[0][2].entity, "customer");
}

TEST_F(FeedTest, LoadsEverythingWhenLinesAreMissing) {
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  change(insert(1, "A") + "; UPDATE config_state SET version = 4", {{1, "saved"}});  // version 5, lines 1 to 4 are not there
  EXPECT_TRUE(waitUntil([&] { return names_.version() == 5; }));
  EXPECT_EQ(names_.loads(), 2);
  EXPECT_EQ(names_.name(1), "A");
  mysql_.runSql("UPDATE config_state SET version = 2; DELETE FROM customers");  // an old backup was put back
  EXPECT_TRUE(waitUntil([&] { return names_.version() == 2; }));
  EXPECT_EQ(names_.name(1), "");
}

TEST_F(FeedTest, LoadsEverythingWhenTheServiceCannotApply) {
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  names_.failApplies(1);
  names_.failLoads(1);
  change(insert(1, "A"), {{1, "saved"}});
  EXPECT_TRUE(waitUntil([&] { return names_.name(1) == "A"; }));
  EXPECT_EQ(names_.loads(), 3);
  EXPECT_TRUE(waitUntil([&] { return metrics_.full_loads.value() == 2; }));
  EXPECT_EQ(metrics_.failures.value(), 1) << "the load that failed";
}

TEST_F(FeedTest, KeepsServingWhileMySqlIsDownAndCatchesUp) {
  change(insert(1, "A"), {{1, "saved"}});
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.version() == 1; }));
  mysql_.kill();
  EXPECT_TRUE(waitUntil([&] { return metrics_.failures.value() > 0; }));
  const double last_success = metrics_.last_success.value();
  EXPECT_GT(last_success, 0);
  EXPECT_EQ(names_.name(1), "A");
  mysql_.start();
  change(insert(2, "B"), {{2, "saved"}});
  EXPECT_TRUE(waitUntil([&] { return names_.name(2) == "B"; }));
  EXPECT_TRUE(waitUntil([&] { return metrics_.last_success.value() > last_success; }));
  EXPECT_EQ(names_.loads(), 1);
}

TEST_F(FeedTest, StartsBeforeItsServersDo) {
  mysql_.stop();
  nats_.stop();
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  EXPECT_TRUE(waitUntil([&] { return metrics_.failures.value() > 0; }));
  mysql_.start();
  EXPECT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
}

// REQUIREMENTS 3.8: very many changes of other entities cost a service no full load, and its own change among them is applied.
TEST_F(FeedTest, ManyChangesOfOtherEntitiesLoadNothing) {
  Feed feed(pool_, *connection_, names_, kOften, metrics_);
  ASSERT_TRUE(feed.start());
  ASSERT_TRUE(waitUntil([&] { return names_.isLoaded(); }));
  const int loads = names_.loads();
  mysql_.runSql(
      "START TRANSACTION; UPDATE config_state SET version = version + 60001 WHERE id = 1;"
      "INSERT INTO config_changes (version, entity, entity_id, action, author, at) "
      "SELECT version - 60001 + seq, 'dialpeer', seq MOD 50000, 'saved', 'test', UTC_TIMESTAMP(6) FROM config_state, seq_1_to_60000;"
      "INSERT INTO customers (id, name, country, billing_type, created_at, updated_at) VALUES "
      "(77, 'among many', 'AM', 'prepaid', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));"
      "INSERT INTO config_changes (version, entity, entity_id, action, author, at) "
      "SELECT version, 'customer', 77, 'saved', 'test', UTC_TIMESTAMP(6) FROM config_state; COMMIT;");
  EXPECT_TRUE(waitUntil([&] { return names_.name(77) == "among many"; }));
  EXPECT_EQ(names_.loads(), loads);
  EXPECT_EQ(names_.applied().back().size(), 50'001U) << "each row once";
}

}  // namespace
}  // namespace tollgate::feed
