#include "libs/spool/record_spool.hpp"

#include <filesystem>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "libs/spool/test_support.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::waitUntil;

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
  bus_.be(FakeBus::Mood::kFail);
  const auto spool = open(settings());
  EXPECT_EQ(spool->stats().replayed, 0U);
  EXPECT_EQ(spool->stats().disk_bytes, 0);
}

TEST_F(SpoolTest, GivesTheDiskBackWhenABacklogIsStored) {
  constexpr std::uintmax_t kBacklogBytes = 80'000'000;
  constexpr std::uintmax_t kRecordBytes = 100'000;
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.memory_bytes_max = 10 * kBacklogBytes;
  const auto spool = open(with);
  for (std::uintmax_t i = 0; i < kBacklogBytes / kRecordBytes; ++i) {
    ASSERT_TRUE(spool->append(kSubject, "id" + std::to_string(i), std::string(kRecordBytes, 'x')));
  }
  ASSERT_TRUE(waitUntil([&] { return fileBytes() >= kBacklogBytes / 2; }));
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool->waitUntilStored(60s));
  ASSERT_TRUE(waitUntil([&] { return spool->stats().disk_bytes == 0; }));
  EXPECT_TRUE(waitUntil([&] { return fileBytes() < kBacklogBytes / 4; })) << fileBytes();
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
  const auto all = killed->stats().disk_bytes;
  ASSERT_TRUE(waitUntil([&] { return killed->stats().disk_bytes < all; })) << "what is acknowledged is removed";
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
  ASSERT_TRUE(waitUntil([&] { return spool->stats().disk_bytes > 4'000; }));
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
  const auto consumer = bus::RecordConsumer::open(**connection, [&](const bus::Record& record) {
    const std::lock_guard lock(mutex);
    seen.emplace(record.data());
    record.ack();
  });
  ASSERT_TRUE(consumer.has_value());
  ASSERT_TRUE(waitUntil([&] {
    const auto progress = bus::readProgress(**connection);
    return progress && progress->slots.pending == 0;
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.size(), 1000U);
  for (int i = 0; i < next; ++i) {
    EXPECT_EQ(seen.count("data" + std::to_string(i)), 1U) << i;
  }
}

}  // namespace
}  // namespace tollgate::spool
