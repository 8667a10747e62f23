// What the spool does when its process is killed, when its disk is full, and when its file is damaged.
#include <csignal>
#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/spool/record_spool.hpp"
#include "libs/spool/test_support.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testkit::waitUntil;

constexpr std::size_t kDatabaseHeaderBytes = 100;

// Large, so that the longer runs copy their log into the file several times.
constexpr std::size_t kKilledRecordBytes = 20'000;

// The body of a process that is killed: its bus says which records it was given, and acknowledges every second one.
[[noreturn]] void spoolUntilKilled(const SpoolSettings& settings, int run, int report) {
  auto spool = RecordSpool::open(
      settings,
      [report](std::string_view, std::string_view id, std::string_view, auto done) {
        const std::string line = std::string(id) + "\n";
        if (::write(report, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
          ::_exit(1);
        }
        if (id.back() == '+') {
          done(1);
        }
      },
      [](std::string_view) {});
  for (int i = 0; spool; ++i) {
    const std::string id = std::to_string(run) + "." + std::to_string(i) + (i % 2 == 0 ? "+" : "-");
    while (!(*spool)->append(kSubject, id, std::string(kKilledRecordBytes, 'x'))) {
      ::usleep(300);  // on a slow disk the queue is full
    }
    ::usleep(300);  // the pace of calls: transactions of a few records, and acknowledgements between them
  }
  ::_exit(1);
}

// Starts such a process on the folder, kills it after it has published `count` records of its own, and returns what it published.
std::set<std::string> runAndKill(const SpoolSettings& settings, int run, int count) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    spoolUntilKilled(settings, run, ends[1]);
  }
  ::close(ends[1]);
  std::set<std::string> published;
  std::string line;
  int own = 0;
  char letter = 0;
  while (::read(ends[0], &letter, 1) == 1) {
    if (letter != '\n') {
      line += letter;
      continue;
    }
    own += line.starts_with(std::to_string(run) + ".") ? 1 : 0;
    published.insert(std::exchange(line, {}));
    if (own == count) {
      ::kill(child, SIGKILL);  // and read on what it wrote until then
    }
  }
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the process ended by itself";
  return published;
}

// REQUIREMENTS 12.3, at whatever moment between writing, publishing, acknowledging and removing the kill comes.
TEST_F(SpoolDamageTest, LosesNothingWhenKilledAtAnyMoment) {
  auto with = settings();
  with.in_flight_max = 100'000;  // those that are never acknowledged are many
  with.linger = 1ms;
  constexpr int kRuns = 15;
  std::set<std::string> unacknowledged;
  with.memory_bytes_max = 10'000'000;  // and some are read back from disk
  for (int run = 0; run < kRuns; ++run) {
    const auto published = runAndKill(with, run, 20 + 61 * run % 400);
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
