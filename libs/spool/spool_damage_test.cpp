// What the spool does when its process is killed, when its disk is full, and when its file is damaged.
#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "libs/spool/killed_program.hpp"
#include "libs/spool/record_spool.hpp"
#include "libs/spool/test_support.hpp"
#include "libs/testkit/child.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testkit::waitUntil;

constexpr std::size_t kDatabaseHeaderBytes = 100;

// The ids that a killed_program has written to its output: those of the records it gave to its bus.
std::vector<std::string> idsIn(const std::string& output) {
  std::vector<std::string> ids;
  std::istringstream lines(testkit::readFile(output));
  for (std::string line; std::getline(lines, line) && !lines.eof();) {  // a last line without end is half an id
    ids.push_back(std::move(line));
  }
  return ids;
}

// Starts killed_program on the folder, kills it after it has published `count` records of its own, and returns what it published.
std::set<std::string> runAndKill(const std::string& folder, int run, int count) {
  const std::string output = folder + "." + std::to_string(run);
  testkit::Child::Options options;
  options.command = {TOLLGATE_KILLED_PROGRAM, folder, std::to_string(run)};
  options.output_file = output;
  auto child = testkit::Child::start(options);
  EXPECT_TRUE(child.has_value());
  const auto isOwn = [prefix = std::to_string(run) + "."](const std::string& id) { return id.starts_with(prefix); };
  EXPECT_TRUE(waitUntil([&] { return std::ranges::count_if(idsIn(output), isOwn) >= count; })) << testkit::fileTail(output);
  (*child)->signal(SIGKILL);
  EXPECT_EQ((*child)->waitExit(10s), 128 + SIGKILL) << "the process ended by itself";
  const auto ids = idsIn(output);
  return {ids.begin(), ids.end()};
}

// REQUIREMENTS 12.3, at whatever moment between writing, publishing, acknowledging and removing the kill comes.
TEST_F(SpoolDamageTest, LosesNothingWhenKilledAtAnyMoment) {
  const auto with = killedSettings(directory_.file("spool"));
  constexpr int kRuns = 15;
  std::set<std::string> unacknowledged;
  for (int run = 0; run < kRuns; ++run) {
    const auto published = runAndKill(with.directory, run, 20 + 61 * run % 400);
    for (const std::string& id : unacknowledged) {
      EXPECT_EQ(published.count(id), 1U) << id << " was left by an earlier run and not published by run " << run;
    }
    for (const std::string& id : published) {
      if (id.back() == '-') {
        unacknowledged.insert(id);
      }
    }
  }
  // The head of the log counts how often the log was begun anew, once by the start of each run.
  const std::string log = testkit::readFile(file("spool", "records.db-wal").string());
  EXPECT_GT(static_cast<unsigned char>(log.at(15)) + 256 * static_cast<unsigned char>(log.at(14)), kRuns)
      << "no run copied its log into the file";
  const auto spool = open(with);
  ASSERT_TRUE(spool->waitUntilStored(20s));
  EXPECT_EQ(spool->stats().damaged_files, 0U);
  const auto records = bus_.records();
  for (const std::string& id : unacknowledged) {
    EXPECT_EQ(records.count(id), 1U) << id;
  }
}

TEST_F(SpoolDamageTest, ToleratesATornEndOfTheLog) {
  spoolRecords(3);
  const auto whole = fs::file_size(file("killed", "records.db-wal"));
  // Whatever the length at which the last transaction was cut, those before it are there.
  for (const std::size_t cut : {1U, 50U, 120U, 5000U}) {
    const std::string folder = "cut" + std::to_string(cut);
    fs::copy(directory_.file("killed"), directory_.file(folder), fs::copy_options::recursive);
    fs::resize_file(file(folder, "records.db-wal"), whole - cut);
    const auto spool = open(settings(folder));
    EXPECT_EQ(spool->stats().replayed, 2U) << cut;
    EXPECT_EQ(spool->stats().damaged_files, 0U) << cut;
    EXPECT_TRUE(spool->waitUntilStored(10s));
  }
}

TEST_F(SpoolDamageTest, SaysWhatADamagedLogHasLost) {
  spoolRecords(10);
  const auto middle = fs::file_size(file("killed", "records.db-wal")) / 2;
  overwrite(file("killed", "records.db-wal"), middle, std::string(50, '!'));
  const auto spool = open(copy_);
  EXPECT_GE(spool->stats().replayed, 3U);
  EXPECT_LT(spool->stats().replayed, 10U);
  EXPECT_EQ(spool->stats().damaged_files, 1U);
  EXPECT_TRUE(fs::exists(file("killed", "damaged-1.db")));
  EXPECT_GT(fs::file_size(file("killed", "damaged-1.db-wal")), middle) << "the lost transactions are still in it";
  expectWorks(*spool);
}

TEST_F(SpoolDamageTest, SendsEverythingButADamagedPage) {
  spoolRecords(200, 3000);
  const auto size = fs::file_size(file("spool", "records.db"));
  overwrite(file("spool", "records.db"), size / 2, std::string(30'000, '\xff'));
  const auto spool = open(settings());
  ASSERT_TRUE(spool->waitUntilStored(10s));
  const auto stats = spool->stats();
  EXPECT_EQ(stats.damaged_files, 1U);
  EXPECT_GT(stats.unreadable, 0U);
  EXPECT_GE(stats.replayed + stats.unreadable, 200U) << "each record was sent or is counted";
  EXPECT_GE(stats.replayed, 180U);
  const auto records = bus_.records();
  EXPECT_EQ(records.count("id0"), 1U);
  EXPECT_EQ(records.count("id199"), 1U) << "what follows the damage is not discarded";
  EXPECT_TRUE(fs::exists(file("spool", "damaged-1.db")));
  expectWorks(*spool);
}

TEST_F(SpoolDamageTest, DoesNotSendARecordThatIsNotWhatWasWritten) {
  spoolRecords(20);
  overwrite(file("spool", "records.db"), find(file("spool", "records.db"), "xxx"), "y");
  const auto spool = open(settings());
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(spool->stats().damaged_files, 1U);
  EXPECT_EQ(spool->stats().unreadable, 1U);
  EXPECT_EQ(bus_.records().size(), 19U);
  for (const auto& [id, record] : bus_.records()) {
    EXPECT_EQ(record, std::string(kSubject) + " " + std::string(100, 'x')) << id;
  }
}

TEST_F(SpoolDamageTest, StartsWithAnEmptyFileWhenTheOldOneIsNoDatabase) {
  spoolRecords(3);
  overwrite(file("spool", "records.db"), 0, std::string(kDatabaseHeaderBytes, '!'));
  for (int run = 1; run <= 2; ++run) {
    const auto spool = open(settings());
    EXPECT_EQ(spool->stats().replayed, 0U);
    EXPECT_EQ(spool->stats().damaged_files, run == 1 ? 1U : 0U);
    expectWorks(*spool);
  }
  EXPECT_TRUE(fs::exists(file("spool", "damaged-1.db")));
  EXPECT_FALSE(fs::exists(file("spool", "damaged-2.db")));
}

// The process was killed while it replaced a damaged file.
TEST_F(SpoolDamageTest, FinishesAReplacementThatWasBegun) {
  spoolRecords(3);
  const auto prepare = [&](const std::string& folder) {
    fs::copy(directory_.file("spool"), directory_.file(folder), fs::copy_options::recursive);
    fs::rename(file(folder, "records.db"), file(folder, "replacement.db"));
  };
  prepare("complete");
  testkit::writeFile(file("complete", "records.db").string(), "damaged");
  testkit::writeFile(file("complete", "records.db-wal").string(), "log of the damaged");
  prepare("half_moved");
  testkit::writeFile(file("half_moved", "damaged-1.db-wal").string(), "log of the damaged");
  for (const std::string folder : {"complete", "half_moved"}) {
    const auto spool = open(settings(folder));
    EXPECT_EQ(spool->stats().replayed, 3U) << folder;
    EXPECT_EQ(spool->stats().damaged_files, 1U) << folder;
    expectWorks(*spool);
  }
  EXPECT_EQ(testkit::readFile(file("complete", "damaged-1.db").string()), "damaged");
  EXPECT_EQ(testkit::readFile(file("complete", "damaged-1.db-wal").string()), "log of the damaged");

  fs::copy(directory_.file("spool"), directory_.file("incomplete"), fs::copy_options::recursive);
  testkit::writeFile(file("incomplete", "replacement.begun.db").string(), "half of it");
  const auto spool = open(settings("incomplete"));
  EXPECT_EQ(spool->stats().replayed, 3U);
  EXPECT_EQ(spool->stats().damaged_files, 0U);
}

// Damage while the file is in use, in the part of a backlog that only the disk has.
TEST_F(SpoolDamageTest, GoesOnWhenItsFileIsDamagedWhileItIsUsed) {
  constexpr int kRecords = 400;
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.memory_bytes_max = 1'000'000;
  with.in_flight_max = 10;
  const auto spool = open(with);
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_TRUE(waitUntil([&] { return spool->append(kSubject, "id" + std::to_string(i), std::string(50'000, 'x')).has_value(); }));
  }
  ASSERT_TRUE(waitUntil([&] { return spool->stats().disk_bytes > std::int64_t{kRecords} * 50'000; }));
  overwrite(file("spool", "records.db"), fs::file_size(file("spool", "records.db")) / 2, std::string(400'000, '\xff'));
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool->waitUntilStored(20s));
  EXPECT_EQ(spool->stats().damaged_files, 1U);
  EXPECT_GT(spool->stats().unreadable, 0U);
  EXPECT_EQ(spool->stats().stored + spool->stats().unreadable, static_cast<std::uint64_t>(kRecords));
  EXPECT_GE(spool->stats().stored, static_cast<std::uint64_t>(kRecords - 20));
  EXPECT_EQ(bus_.records().count("id399"), 1U);
  expectWorks(*spool);
}

TEST_F(SpoolDamageTest, PublishesFromMemoryWhenTheDiskIsFull) {
  const auto spool = open(settings());
  {
    const FullDisk full;
    ASSERT_TRUE(spool->append(kSubject, "homeless", "x"));
    EXPECT_TRUE(spool->waitUntilStored(10s));
  }
  EXPECT_EQ(bus_.order(), std::vector<std::string>{"homeless"});
  EXPECT_EQ(spool->stats().write_failures, 1U);
}

TEST_F(SpoolDamageTest, WritesAgainWhenTheDiskHasRoomAgain) {
  bus_.be(FakeBus::Mood::kFail);
  {
    const auto spool = open(settings());
    {
      const FullDisk full;
      ASSERT_TRUE(spool->append(kSubject, "homeless", "x"));
      ASSERT_TRUE(waitUntil([&] { return spool->stats().write_failures == 1; }));
    }
    appendAndWait(*spool, "written", 1);
  }
  bus_.be(FakeBus::Mood::kStore);
  const auto spool = open(settings());
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.order(), std::vector<std::string>{"written"}) << "the other was in memory only";
}

TEST_F(SpoolDamageTest, RefusesADirectoryThatCannotBeUsed) {
  testkit::writeFile(directory_.file("spool"), "not a directory");
  const auto opened = RecordSpool::open(settings(), bus_.publish(), {});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, base::ErrorCode::kInternal);
}

}  // namespace
}  // namespace tollgate::spool
