#include "libs/spool/record_spool.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/temp_dir.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::waitUntil;

constexpr const char* kSubject = "tg.evt.call.v1.ended.1";

// Stands for the bus: stores, fails or keeps silent, as told.
class FakeBus {
 public:
  enum class Mood { kStore, kFail, kSilent };

  [[nodiscard]] RecordSpool::Publish publish() {
    return [this](std::string_view subject, std::string_view id, std::string_view data, auto done) {
      Mood mood{};
      {
        const std::lock_guard lock(mutex_);
        ++publishes_;
        mood = mood_;
        if (mood == Mood::kStore) {
          records_[std::string(id)] = std::string(subject) + " " + std::string(data);
          order_.emplace_back(id);
        } else if (mood == Mood::kSilent) {
          held_.push_back(std::move(done));
        }
      }
      if (mood == Mood::kStore) {
        done(1);
      } else if (mood == Mood::kFail) {
        done(base::fail(ErrorCode::kUnavailable, "away"));
      }
    };
  }
  void be(Mood mood) {
    const std::lock_guard lock(mutex_);
    mood_ = mood;
  }
  void timeOutHeld() {
    for (const auto& done : takeHeld()) {
      done(base::fail(ErrorCode::kTimeout, "no acknowledgement"));
    }
  }
  void acknowledgeHeld(std::size_t count) {
    auto held = takeHeld();
    for (std::size_t i = 0; i < std::min(count, held.size()); ++i) {
      held[i](1);
    }
  }
  [[nodiscard]] std::size_t heldCount() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  [[nodiscard]] std::map<std::string, std::string> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  [[nodiscard]] std::vector<std::string> order() const {
    const std::lock_guard lock(mutex_);
    return order_;
  }
  [[nodiscard]] int publishes() const {
    const std::lock_guard lock(mutex_);
    return publishes_;
  }

 private:
  using Done = std::function<void(base::Result<std::uint64_t>)>;
  std::vector<Done> takeHeld() {
    const std::lock_guard lock(mutex_);
    return std::exchange(held_, {});
  }
  mutable std::mutex mutex_;
  Mood mood_ = Mood::kStore;
  std::map<std::string, std::string> records_;
  std::vector<std::string> order_;
  std::vector<Done> held_;
  int publishes_ = 0;
};

class SpoolTest : public ::testing::Test {
 protected:
  [[nodiscard]] SpoolSettings settings(const std::string& folder = "spool") const {
    SpoolSettings settings;
    settings.directory = directory_.file(folder);
    settings.retry_delay = 20ms;
    return settings;
  }
  [[nodiscard]] std::unique_ptr<RecordSpool> open(const SpoolSettings& with) {
    auto spool = RecordSpool::open(with, bus_.publish(), [this](std::string_view id) {
      const std::lock_guard lock(mutex_);
      stored_.emplace_back(id);
    });
    EXPECT_TRUE(spool.has_value()) << spool.error().message;
    return std::move(*spool);
  }
  // What a process killed now would leave.
  [[nodiscard]] SpoolSettings copyAsIfKilled(const std::string& to) const {
    std::filesystem::copy(directory_.file("spool"), directory_.file(to), std::filesystem::copy_options::recursive);
    return settings(to);
  }
  [[nodiscard]] std::vector<std::filesystem::path> logs(const std::string& folder = "spool") const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.file(folder))) {
      if (entry.path().extension() == ".log") {
        found.push_back(entry.path());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  [[nodiscard]] std::vector<std::string> storedIds() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }

  testkit::TempDir directory_;
  FakeBus bus_;
  mutable std::mutex mutex_;
  std::vector<std::string> stored_;
};

TEST_F(SpoolTest, PublishesInOrderAndTellsWhatIsStored) {
  const auto spool = open(settings());
  std::vector<std::string> ids;
  for (int i = 0; i < 500; ++i) {
    ids.push_back("call." + std::to_string(i));
    ASSERT_TRUE(spool->append(kSubject, ids.back(), "data" + std::to_string(i)));
  }
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), ids);
  EXPECT_EQ(storedIds(), ids);
  EXPECT_EQ(bus_.records()["call.7"], std::string(kSubject) + " data7");
  EXPECT_EQ(spool->stats().stored, 500U);
  EXPECT_EQ(spool->unsentCount(), 0U);
}

TEST_F(SpoolTest, LeavesNothingOnDiskWhenAllIsStored) {
  {
    const auto spool = open(settings());
    ASSERT_TRUE(spool->append(kSubject, "a", "x"));
    ASSERT_TRUE(spool->waitUntilStored(10s));
  }
  EXPECT_TRUE(logs().empty());
}

TEST_F(SpoolTest, RemovesSegmentsThatAreAcknowledged) {
  auto with = settings();
  with.segment_bytes = 10'000;
  const auto spool = open(with);
  bus_.be(FakeBus::Mood::kFail);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(spool->append(kSubject, "id" + std::to_string(i), std::string(1000, 'x')));
  }
  ASSERT_TRUE(waitUntil([&] { return spool->stats().disk_bytes > 100'000; }));
  EXPECT_GE(logs().size(), 10U);
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_TRUE(waitUntil([&] { return logs().size() == 1; }));  // the one being written
  EXPECT_LE(spool->stats().disk_bytes, 11'000);
}

// REQUIREMENTS 12.3: a killed process loses nothing it had spooled.
TEST_F(SpoolTest, ReplaysAfterAKillWhatWasNotAcknowledged) {
  bus_.be(FakeBus::Mood::kSilent);
  const auto killed = open(settings());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(killed->append(kSubject, "id" + std::to_string(i), "data" + std::to_string(i)));
  }
  ASSERT_TRUE(waitUntil([&] { return bus_.heldCount() == 10; }));
  bus_.acknowledgeHeld(4);
  ASSERT_TRUE(waitUntil([&] { return killed->unsentCount() == 6; }));
  bus_.be(FakeBus::Mood::kStore);
  const auto left = [&] { return std::filesystem::file_size(logs().front().replace_extension(".acks")); };
  ASSERT_TRUE(waitUntil([&] { return left() == 4 * 8; }));
  const auto spool = open(copyAsIfKilled("after_kill"));
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(spool->stats().replayed, 6U);
  const auto records = bus_.records();
  ASSERT_EQ(records.size(), 6U);
  EXPECT_EQ(records.at("id4"), std::string(kSubject) + " data4");
  EXPECT_EQ(records.at("id9"), std::string(kSubject) + " data9");
}

TEST_F(SpoolTest, ReplayGoesOnAfterSeveralRuns) {
  bus_.be(FakeBus::Mood::kFail);
  for (int run = 0; run < 3; ++run) {
    const auto spool = open(settings());
    EXPECT_EQ(spool->unsentCount(), static_cast<std::uint64_t>(run));
    ASSERT_TRUE(spool->append(kSubject, "run" + std::to_string(run), "x"));
  }
  bus_.be(FakeBus::Mood::kStore);
  const auto spool = open(settings());
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), (std::vector<std::string>{"run0", "run1", "run2"}));
}

TEST_F(SpoolTest, ToleratesATornTail) {
  bus_.be(FakeBus::Mood::kFail);
  {
    const auto spool = open(settings());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(spool->append(kSubject, "id" + std::to_string(i), std::string(100, 'x')));
    }
  }
  bus_.be(FakeBus::Mood::kStore);
  const auto whole = std::filesystem::file_size(logs().front());
  // Whatever the length at which the last frame was cut, the frames before it are there.
  for (const std::size_t cut : {1U, 50U, 120U, 136U}) {
    const std::string folder = "cut" + std::to_string(cut);
    const auto with = copyAsIfKilled(folder);
    std::filesystem::resize_file(logs(folder).front(), whole - cut);
    const auto spool = open(with);
    EXPECT_EQ(spool->stats().replayed, 2U) << cut;
    EXPECT_GT(spool->stats().torn_bytes, 0U) << cut;
    EXPECT_TRUE(spool->waitUntilStored(10s));
  }
}

TEST_F(SpoolTest, StopsAtADamagedFrame) {
  bus_.be(FakeBus::Mood::kFail);
  {
    const auto spool = open(settings());
    ASSERT_TRUE(spool->append(kSubject, "good", "x"));
    ASSERT_TRUE(spool->append(kSubject, "damaged", "x"));
  }
  {
    std::fstream file(logs().front(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('y');
  }
  bus_.be(FakeBus::Mood::kStore);
  const auto spool = open(settings());
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), std::vector<std::string>{"good"});
}

TEST_F(SpoolTest, PublishesAgainWithTheSameIdAfterATimeout) {
  bus_.be(FakeBus::Mood::kSilent);
  const auto spool = open(settings());
  ASSERT_TRUE(spool->append(kSubject, "once", "x"));
  ASSERT_TRUE(waitUntil([&] { return bus_.heldCount() == 1; }));
  bus_.be(FakeBus::Mood::kStore);
  bus_.timeOutHeld();
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), std::vector<std::string>{"once"});
  EXPECT_EQ(spool->stats().resent, 1U);
  EXPECT_EQ(storedIds(), std::vector<std::string>{"once"});
}

TEST_F(SpoolTest, KeepsNoMoreInFlightThanAllowed) {
  bus_.be(FakeBus::Mood::kSilent);
  auto with = settings();
  with.in_flight_max = 5;
  const auto spool = open(with);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(spool->append(kSubject, "id" + std::to_string(i), "x"));
  }
  for (int left = 20; left > 0; left -= 5) {
    ASSERT_TRUE(waitUntil([&] { return spool->unsentCount() == static_cast<std::uint64_t>(left) && bus_.heldCount() >= 5; }));
    EXPECT_EQ(bus_.heldCount(), 5U);
    bus_.acknowledgeHeld(5);
  }
  EXPECT_TRUE(spool->waitUntilStored(10s));
}

TEST_F(SpoolTest, ReadsBackFromDiskWhatDoesNotFitIntoMemory) {
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.memory_bytes_max = 20'000;
  const auto spool = open(with);
  for (int i = 0; i < 100; ++i) {
    // The writer's queue is bounded by the same setting: wait for it as a caller would not.
    ASSERT_TRUE(waitUntil(
        [&] { return spool->append(kSubject, "id" + std::to_string(i), std::string(1000, 'x') + std::to_string(i)).has_value(); }));
  }
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool->waitUntilStored(10s));
  const auto records = bus_.records();
  EXPECT_EQ(records.size(), 100U);
  EXPECT_EQ(records.at("id99"), std::string(kSubject) + " " + std::string(1000, 'x') + "99");
  EXPECT_EQ(storedIds().size(), 100U);
}

TEST_F(SpoolTest, RefusesBeyondTheDiskBound) {
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.disk_bytes_max = 10'000;
  const auto spool = open(with);
  int taken = 0;
  for (int i = 0; i < 20; ++i) {
    const auto result = spool->append(kSubject, "id" + std::to_string(i), std::string(1000, 'x'));
    if (result) {
      ++taken;
    } else {
      EXPECT_EQ(result.error().code, ErrorCode::kOverLimit);
    }
  }
  EXPECT_GE(taken, 8);
  EXPECT_LE(taken, 10);
  EXPECT_EQ(spool->stats().refused, static_cast<std::uint64_t>(20 - taken));
  bus_.be(FakeBus::Mood::kStore);
  EXPECT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(spool->append(kSubject, "", "x").error().code, ErrorCode::kInvalid);
}

TEST_F(SpoolTest, PublishesFromMemoryWhenTheDiskRefuses) {
  const auto spool = open(settings());
  std::filesystem::remove_all(directory_.file("spool"));
  ASSERT_TRUE(spool->append(kSubject, "homeless", "x"));
  EXPECT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), std::vector<std::string>{"homeless"});
  EXPECT_GE(spool->stats().write_failures, 1U);
}

TEST_F(SpoolTest, OneDirectoryHasOneOwner) {
  const auto spool = open(settings());
  const auto second = RecordSpool::open(settings(), bus_.publish(), {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST_F(SpoolTest, DoesNotHammerABusThatIsAway) {
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.retry_delay = 10s;
  with.in_flight_max = 10;
  const auto spool = open(with);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(spool->append(kSubject, "id" + std::to_string(i), "x"));
  }
  ASSERT_TRUE(waitUntil([&] { return spool->stats().disk_bytes > 200 * 20; }));
  EXPECT_LE(bus_.publishes(), 20);
}

// REQUIREMENTS 12.2 and 12.3, against the real server.
TEST_F(SpoolTest, StoresEachRecordOnceAcrossAnOutageOfTheBus) {
  testkit::NatsServer server;
  bus::ConnectionSettings bus_settings;
  bus_settings.url = server.url();
  bus_settings.name = "spool";
  auto connection = bus::Connection::open(bus_settings, bus::ConnectionKind::kEvents);
  ASSERT_TRUE(connection && bus::ensureRecordStream(**connection, {}));
  bus::RecordPublisher publisher(**connection, 500ms);
  auto opened = RecordSpool::open(settings(), publisher, {});
  ASSERT_TRUE(opened.has_value());
  auto& spool = **opened;
  int next = 0;
  const auto append = [&](int count) {
    for (int i = 0; i < count; ++i, ++next) {
      ASSERT_TRUE(spool.append(kSubject, "id" + std::to_string(next), "data" + std::to_string(next)));
    }
  };
  append(200);
  ASSERT_TRUE(spool.waitUntilStored(10s));
  append(200);
  server.kill();
  append(200);
  ASSERT_TRUE(waitUntil([&] { return !(*connection)->isConnected(); }));
  append(200);
  server.start();
  append(200);
  ASSERT_TRUE(spool.waitUntilStored(20s));
  std::mutex mutex;
  std::multiset<std::string> seen;
  const auto consumer = bus::RecordConsumer::open(**connection, "billing", [&](const bus::Record& record) {
    const std::lock_guard lock(mutex);
    seen.emplace(record.data());
    record.ack();
  });
  ASSERT_TRUE(consumer.has_value());
  ASSERT_TRUE(waitUntil([&] {
    const auto progress = (*consumer)->progress();
    return progress && progress->pending == 0;
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.size(), 1000U);
  for (int i = 0; i < next; ++i) {
    EXPECT_EQ(seen.count("data" + std::to_string(i)), 1U) << i;
  }
}

}  // namespace
}  // namespace tollgate::spool
