// What the spool does to start and to go on when its disk has no room, fails, or holds what no check of SQLite finds.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libs/spool/record_spool.hpp"
#include "libs/spool/recovery.hpp"
#include "libs/spool/test_support.hpp"
#include "libs/telemetry/log.hpp"
#include "libs/testkit/wait.hpp"

namespace {

std::mutex sync_mutex;
std::vector<std::string> synced_files;  // under sync_mutex
std::atomic<bool> is_reading_broken = false;

std::string nameOf(int fd) {
  char name[4096];
  const auto length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name, sizeof name);
  return {name, length < 0 ? 0 : static_cast<std::size_t>(length)};
}

int noteSync(int fd, long call) {
  {
    const std::lock_guard lock(sync_mutex);
    synced_files.push_back(nameOf(fd));
  }
  return static_cast<int>(::syscall(call, fd));
}

void forgetSyncs() {
  const std::lock_guard lock(sync_mutex);
  synced_files.clear();
}

bool wasSynced(const std::string& end_of_name) {
  const std::lock_guard lock(sync_mutex);
  return std::any_of(synced_files.begin(), synced_files.end(), [&](const auto& name) { return name.ends_with(end_of_name); });
}

}  // namespace

// In place of the C library's, for SQLite too: which files are forced to disk, and a disk that does not read.
extern "C" int fdatasync(int fd) {
  return noteSync(fd, SYS_fdatasync);
}
extern "C" int fsync(int fd) {
  return noteSync(fd, SYS_fsync);
}
extern "C" ssize_t pread64(int fd, void* bytes, std::size_t count, off64_t at) {
  if (is_reading_broken && nameOf(fd).find("/records.db") != std::string::npos) {
    errno = ESTALE;  // SQLite takes EIO for damage
    return -1;
  }
  return ::syscall(SYS_pread64, fd, bytes, count, at);
}

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testkit::waitUntil;

class SpoolRecoveryTest : public SpoolDamageTest {};

// What is logged from here to finish().
class LogCapture {
 public:
  LogCapture() {
    telemetry::LogOptions options;
    options.sink = [this](std::string_view line) { log_ += line; };  // on one thread, which finish() ends
    telemetry::startLogging("spool_test", telemetry::Level::kInfo, options);
  }
  ~LogCapture() { telemetry::stopLogging(); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  [[nodiscard]] std::string finish() {
    telemetry::stopLogging();
    return log_;
  }

 private:
  std::string log_;
};

TEST_F(SpoolRecoveryTest, SaysWhatALogWithADamagedHeadHasLost) {
  spoolRecords(10);
  overwrite(file("killed", "records.db-wal"), 0, std::string(32, '!'));
  const auto spool = open(copy_);
  EXPECT_EQ(spool->stats().damaged_files, 1U);
  EXPECT_TRUE(fs::exists(file("killed", "damaged-1.db-wal"))) << "what was lost is still there for an operator";
}

// A record that was promised to survive a power failure is in the log when the process is killed. The next process copies it into the file,
// and its first transaction overwrites the log.
TEST_F(SpoolRecoveryTest, ForcesTheFileToDiskBeforeItsLogIsUsedAgain) {
  forgetSyncs();
  bus_.be(FakeBus::Mood::kFail);
  {
    const auto killed = open(settings());
    appendAndWait(*killed, "promised", 100);
    ASSERT_TRUE(waitUntil([] { return wasSynced("/spool/records.db-wal"); }));
    copy_ = copyAsIfKilled("killed");
  }
  copy_.sync_interval = 1h;
  forgetSyncs();
  const auto spool = open(copy_);
  ASSERT_EQ(spool->stats().replayed, 1U);
  const auto log_head = [&] { return testkit::readFile(file("killed", "records.db-wal").string()).substr(0, 32); };
  const auto before = log_head();
  ASSERT_TRUE(spool->append(kSubject, "next", "x"));
  ASSERT_TRUE(waitUntil([&] { return log_head() != before; })) << "the log was begun anew";
  EXPECT_TRUE(wasSynced("/killed/records.db"));
}

TEST_F(SpoolRecoveryTest, SendsWhatIsThereWhenTheDiskIsFullAtTheStart) {
  spoolRecords(30, 3000);
  const FullDisk full(fs::file_size(file("killed", "records.db")));
  const auto spool = open(copy_);
  EXPECT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.records().size(), 30U);
}

TEST_F(SpoolRecoveryTest, StartsInMemoryWhenTheDiskHasNoRoomForItsFirstFile) {
  LogCapture capture;
  {
    const FullDisk full;
    const auto spool = open(settings());
    ASSERT_TRUE(spool->append(kSubject, "homeless", "x"));
    EXPECT_TRUE(spool->waitUntilStored(10s));
    EXPECT_EQ(spool->stats().write_failures, 1U);
    bus_.be(FakeBus::Mood::kFail);
    ASSERT_TRUE(spool->append(kSubject, "in memory", "x"));
    ASSERT_TRUE(waitUntil([&] { return spool->stats().write_failures == 2; }));
  }
  const auto log = capture.finish();
  EXPECT_NE(log.find(R"("msg":"records are lost: the disk refused them and the bus has not stored them","records":1)"), std::string::npos)
      << log;
  const auto spool = open(settings());
  EXPECT_EQ(spool->stats().replayed, 0U);
  appendAndWait(*spool, "written", 1);
  EXPECT_EQ(spool->stats().damaged_files, 0U);
}

TEST_F(SpoolRecoveryTest, MakesItsFirstFileWhenThereIsRoom) {
  std::unique_ptr<RecordSpool> spool;
  {
    const FullDisk full;
    spool = open(settings());
  }
  bus_.be(FakeBus::Mood::kFail);
  ASSERT_TRUE(waitUntil([&] { return fs::exists(file("spool", "records.db-wal")); }));
  appendAndWait(*spool, "written", 1);
}

TEST_F(SpoolRecoveryTest, ReplacesADamagedFileWhenThereIsRoom) {
  spoolRecords(200, 3000);
  overwrite(file("spool", "records.db"), fs::file_size(file("spool", "records.db")) / 2, std::string(30'000, '\xff'));
  std::unique_ptr<RecordSpool> spool;
  {
    const FullDisk full;
    spool = open(settings());
    expectWorks(*spool);
    EXPECT_EQ(spool->stats().damaged_files, 0U) << "nothing was replaced";
  }
  ASSERT_TRUE(waitUntil([&] { return spool->stats().damaged_files == 1; }));
  ASSERT_TRUE(spool->waitUntilStored(10s));
  EXPECT_GE(spool->stats().replayed, 180U);
  EXPECT_EQ(bus_.records().count("id199"), 1U);
  EXPECT_TRUE(waitUntil([&] { return spool->stats().disk_bytes == 0; }));
}

constexpr std::uintmax_t kUserVersionAt = 60;  // in the first page

// SQLite checks neither: without the version, and a table of another name.
TEST_F(SpoolRecoveryTest, StartsWhenAnUncheckedPartOfTheFirstPageIsDamaged) {
  spoolRecords(3);
  const auto damaged = [&](const std::string& folder, std::uintmax_t at, const std::string& bytes) {
    fs::copy(directory_.file("spool"), directory_.file(folder), fs::copy_options::recursive);
    overwrite(file(folder, "records.db"), at, bytes);
    return open(settings(folder));
  };
  auto spool = damaged("no_version", kUserVersionAt, std::string(4, '\0'));
  EXPECT_EQ(spool->stats().replayed, 3U) << "the table is as it was";
  expectWorks(*spool);
  const auto content = testkit::readFile(file("spool", "records.db").string());
  spool = damaged("other_name", content.find("tablerecordsrecords") + 5, "RICORDSRICORDS");
  EXPECT_EQ(spool->stats().damaged_files, 1U);
  expectWorks(*spool);
}

// After a downgrade. Were the file set aside, its records would wait where nobody looks.
TEST_F(SpoolRecoveryTest, RefusesTheFileOfANewerProgramAndLeavesItAsItIs) {
  spoolRecords(3);
  overwrite(file("spool", "records.db"), kUserVersionAt, std::string("\0\0\0\2", 4));
  const auto before = testkit::readFile(file("spool", "records.db").string());
  const auto refused = RecordSpool::open(settings(), bus_.publish(), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kConflict);
  EXPECT_NE(refused.error().message.find("written by a newer program: its table has version 2"), std::string::npos)
      << refused.error().message;
  EXPECT_NE(refused.error().message.find("Start the newer program until it has sent its records"), std::string::npos);
  EXPECT_TRUE(testkit::readFile(file("spool", "records.db").string()) == before);
  EXPECT_FALSE(fs::exists(file("spool", "damaged-1.db")));
  // The newer program sends them.
  overwrite(file("spool", "records.db"), kUserVersionAt, std::string("\0\0\0\1", 4));
  const auto spool = open(settings());
  EXPECT_TRUE(spool->waitUntilStored(10s));
  EXPECT_EQ(bus_.records().size(), 3U);
}

// REQUIREMENTS 12.3: nothing that holds records is deleted, and the disk is bounded.
TEST_F(SpoolRecoveryTest, CountsFilesThatWereSetAsideAgainstTheDisk) {
  constexpr std::size_t kBytes = 50'000;
  bus_.be(FakeBus::Mood::kFail);
  auto with = settings();
  with.disk_bytes_max = 600'000;
  fs::create_directories(with.directory);
  testkit::writeFile(file("spool", "damaged-1.db").string(), std::string(1'000'000, 'x'));
  testkit::writeFile(file("spool", "damaged-1.db-wal").string(), "x");
  LogCapture capture;
  const auto spool = open(with);
  EXPECT_EQ(spool->stats().set_aside_bytes, 1'000'000 + 16'384) << "a small file takes a page";
  for (int i = 0; i < 3; ++i) {
    appendAndWait(*spool, "id" + std::to_string(i), kBytes);
  }
  const auto refused = spool->append(kSubject, "id3", std::string(kBytes, 'x'));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kOverLimit);
  EXPECT_NE(refused.error().message.find("remove damaged-* in " + with.directory), std::string::npos) << refused.error().message;
  EXPECT_EQ(spool->stats().refused, 1U);
  fs::remove(file("spool", "damaged-1.db"));
  ASSERT_TRUE(waitUntil([&] { return spool->stats().set_aside_bytes == 16'384; }));
  appendAndWait(*spool, "id3", kBytes);
  const auto log = capture.finish();
  EXPECT_NE(log.find("damaged files of the spool are kept: get back what they hold, then remove them"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("bytes":1016384)"), std::string::npos) << log;
}

TEST_F(SpoolRecoveryTest, CountsAFileThatIsSetAsideWhileItRuns) {
  spoolRecords(200, 3000);
  overwrite(file("spool", "records.db"), fs::file_size(file("spool", "records.db")) / 2, std::string(30'000, '\xff'));
  const auto spool = open(settings());
  EXPECT_GT(spool->stats().set_aside_bytes, 600'000);
}

// Whose records these were is said by nothing else.
TEST_F(SpoolRecoveryTest, NamesAndCountsTheRecordsThatOnlyMemoryHadWhenItStops) {
  constexpr int kRecords = 250;
  bus_.be(FakeBus::Mood::kFail);
  const auto spool = open(settings());
  LogCapture capture;
  {
    const FullDisk full;
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(spool->append(kSubject, "homeless" + std::to_string(i), "x"));
    }
    ASSERT_TRUE(waitUntil([&] { return spool->stats().memory_only == kRecords; }));
  }
  EXPECT_EQ(spool->stats().lost, 0U);
  spool->close();
  EXPECT_EQ(spool->stats().lost, static_cast<std::uint64_t>(kRecords));
  const auto log = capture.finish();
  for (const char* part : {R"("records":250,"message_ids":"homeless0 homeless1 )", R"("message_ids":"homeless200 )", "homeless249\""}) {
    EXPECT_NE(log.find(part), std::string::npos) << part << " in " << log;
  }
}

TEST_F(SpoolRecoveryTest, LosesNothingThatTheBusHasStoredFromMemory) {
  const auto spool = open(settings());
  {
    const FullDisk full;
    ASSERT_TRUE(spool->append(kSubject, "homeless", "x"));
    ASSERT_TRUE(spool->waitUntilStored(10s));
  }
  EXPECT_EQ(spool->stats().memory_only, 0U);
  spool->close();
  EXPECT_EQ(spool->stats().lost, 0U);
}

// Killed between the first two moves of a replacement.
TEST_F(SpoolRecoveryTest, SetsAFileAndItsLogAsideUnderOneName) {
  spoolRecords(3);
  fs::rename(file("spool", "records.db"), file("spool", "replacement.db"));
  testkit::writeFile(file("spool", "records.db").string(), "damaged");
  testkit::writeFile(file("spool", "damaged-1.db-wal").string(), "log of the damaged");
  const auto spool = open(settings());
  EXPECT_TRUE(fs::exists(file("spool", "damaged-1.db"))) << "its log is damaged-1.db-wal";
  EXPECT_FALSE(fs::exists(file("spool", "damaged-2.db")));
}

// The root page is damaged: nothing tells how many records the table has.
TEST_F(SpoolRecoveryTest, SaysThatItDoesNotKnowHowManyRecordsAreLost) {
  constexpr std::uintmax_t kPageBytes = 16'384;
  spoolRecords(200, 3000);
  overwrite(file("spool", "records.db"), kPageBytes, std::string(kPageBytes, '\xff'));
  LogCapture capture;
  const auto opened = openStore(directory_.file("spool"), 0);
  const auto log = capture.finish();
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE(opened->rows.empty());
  EXPECT_NE(log.find(R"("records_unreadable":"unknown")"), std::string::npos) << log;
}

// A backlog that only the disk has, in a file that is in use.
class SpoolBacklogTest : public SpoolRecoveryTest {
 protected:
  static constexpr int kRecords = 95;
  static constexpr std::size_t kBytes = 50'000;
  void SetUp() override {
    bus_.be(FakeBus::Mood::kFail);
    auto with = settings();
    with.memory_bytes_max = 200'000;
    with.disk_bytes_max = 5'000'000;
    with.in_flight_max = 10;
    spool_ = open(with);
    for (int i = 0; i < kRecords; ++i) {
      appendAndWait(*spool_, "id" + std::to_string(i), kBytes);
    }
  }
  void loseTheFile() {
    for (const char* name : {"records.db", "records.db-wal"}) {
      overwrite(file("spool", name), 0, std::string(fs::file_size(file("spool", name)), '\xff'));
    }
  }
  std::unique_ptr<RecordSpool> spool_;
};

// What a replaced file did not give back does not count against disk_bytes_max.
TEST_F(SpoolBacklogTest, TakesAsManyRecordsAsBeforeItsFileWasLost) {
  loseTheFile();
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool_->waitUntilStored(20s));
  EXPECT_EQ(spool_->stats().damaged_files, 1U);
  EXPECT_EQ(spool_->stats().stored + spool_->stats().unreadable, static_cast<std::uint64_t>(kRecords));
  ASSERT_TRUE(waitUntil([&] { return spool_->stats().disk_bytes == 0; }));
  bus_.be(FakeBus::Mood::kFail);
  for (int i = 0; i < kRecords; ++i) {
    appendAndWait(*spool_, "new" + std::to_string(i), kBytes);
  }
}

TEST_F(SpoolBacklogTest, WritesAgainWhenThereIsRoomForANewFile) {
  loseTheFile();
  {
    const FullDisk full;
    bus_.be(FakeBus::Mood::kStore);
    ASSERT_TRUE(spool_->append(kSubject, "homeless", "x"));
    ASSERT_TRUE(waitUntil([&] { return bus_.records().count("homeless") == 1; })) << "the backlog does not hold it up";
    EXPECT_EQ(spool_->stats().write_failures, 1U);
    EXPECT_EQ(spool_->stats().damaged_files, 0U) << "nothing was replaced";
  }
  ASSERT_TRUE(spool_->waitUntilStored(20s));
  EXPECT_EQ(spool_->stats().damaged_files, 1U);
  expectWorks(*spool_);
  EXPECT_EQ(spool_->stats().write_failures, 1U);
}

TEST_F(SpoolBacklogTest, ReadsARecordAgainWhenTheDiskFailedToReadIt) {
  is_reading_broken = true;
  bus_.be(FakeBus::Mood::kStore);
  ASSERT_TRUE(spool_->append(kSubject, "in memory", "x"));
  EXPECT_TRUE(waitUntil([&] { return bus_.records().count("in memory") == 1; }));
  EXPECT_GT(spool_->unsentCount(), 0U);
  is_reading_broken = false;
  ASSERT_TRUE(spool_->waitUntilStored(20s));
  EXPECT_EQ(spool_->stats().unreadable, 0U);
  EXPECT_EQ(spool_->stats().damaged_files, 0U);
  EXPECT_EQ(bus_.records().size(), kRecords + 1U);
}

}  // namespace
}  // namespace tollgate::spool
