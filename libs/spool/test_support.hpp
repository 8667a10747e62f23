// A bus and a fixture for the tests of the spool. Any thread may use the bus; the rest is for the test's thread.
#pragma once

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "libs/spool/record_spool.hpp"
#include "libs/testkit/temp_dir.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::spool {

inline constexpr const char* kSubject = "tg.evt.call.v1.ended.1";

// Plays the bus: it stores, fails or does not answer, as the test says.
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
          return;
        }
      }
      if (mood == Mood::kStore) {
        done(1);
      } else if (mood == Mood::kFail) {
        done(base::fail(base::ErrorCode::kUnavailable, "away"));
      }
    };
  }
  void be(Mood mood) {
    const std::lock_guard lock(mutex_);
    mood_ = mood;
  }
  void timeOutHeld() {
    for (const auto& done : takeHeld()) {
      done(base::fail(base::ErrorCode::kTimeout, "no acknowledgement"));
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
    settings.retry_delay = std::chrono::milliseconds(20);
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
  [[nodiscard]] std::uintmax_t fileBytes() const { return std::filesystem::file_size(directory_.file("spool/records.db")); }
  [[nodiscard]] std::vector<std::string> storedIds() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }

  testkit::TempDir directory_;
  FakeBus bus_;
  mutable std::mutex mutex_;
  std::vector<std::string> stored_;
};

class SpoolDamageTest : public SpoolTest {
 protected:
  // Leaves that many records in the folder "spool", unsent, each in a transaction of its own.
  void spoolRecords(int count, std::size_t bytes = 100) {
    bus_.be(FakeBus::Mood::kFail);
    const auto spool = open(settings());
    for (int i = 0; i < count; ++i) {
      appendAndWait(*spool, "id" + std::to_string(i), bytes);
    }
    copy_ = copyAsIfKilled("killed");
    bus_.be(FakeBus::Mood::kStore);
  }
  static void appendAndWait(RecordSpool& spool, const std::string& id, std::size_t bytes) {
    const auto before = spool.stats().disk_bytes;
    ASSERT_TRUE(spool.append(kSubject, id, std::string(bytes, 'x')));
    ASSERT_TRUE(testkit::waitUntil([&] { return spool.stats().disk_bytes > before; }));
  }
  [[nodiscard]] std::filesystem::path file(const std::string& folder, const std::string& name) const {
    return directory_.file(folder + "/" + name);
  }
  static void overwrite(const std::filesystem::path& path, std::uintmax_t at, const std::string& bytes) {
    std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream << bytes;
    ASSERT_TRUE(stream.good());
  }
  // Where the text is in the file, the last time.
  static std::uintmax_t find(const std::filesystem::path& path, const std::string& text) {
    const std::string content = testkit::readFile(path.string());
    const auto at = content.rfind(text);
    EXPECT_NE(at, std::string::npos);
    return at;
  }
  // The spool works: it takes a record and sends it.
  void expectWorks(RecordSpool& spool) {
    ASSERT_TRUE(spool.append(kSubject, "after", "x"));
    EXPECT_TRUE(spool.waitUntilStored(std::chrono::seconds(10)));
    EXPECT_EQ(bus_.records().count("after"), 1U);
  }

  SpoolSettings copy_;  // the folder as a killed process leaves it: with its log
};

// No file grows beyond `bytes` while this lives, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(std::uintmax_t bytes = 0) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit full{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace tollgate::spool
