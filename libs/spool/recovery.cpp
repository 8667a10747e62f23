#include "libs/spool/recovery.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "libs/telemetry/log.hpp"

namespace tollgate::spool {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "records.db";
constexpr const char* kLogSuffix = "-wal";
constexpr const char* kSetAside = "damaged-";
constexpr std::int64_t kFileBytesMin = 16'384;
// Replacing a damaged file takes several steps, and the process may be killed between any two. A file under the second name is complete,
// so the replacement is then carried to its end; one under the first is not, and is made anew.
constexpr const char* kReplacementBegun = "replacement.begun.db";
constexpr const char* kReplacement = "replacement.db";

base::Error fileError(const fs::path& path, const std::error_code& error) {
  return {base::ErrorCode::kInternal, path.string() + ": " + error.message()};
}

fs::path logOf(const fs::path& file) {
  return fs::path(file) += kLogSuffix;
}

// A file that is not there counts as moved.
base::Result<void> moveFile(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::exists(from, error)) {
    fs::rename(from, to, error);
  }
  if (error) {
    return tl::unexpected(fileError(from, error));
  }
  return {};
}

fs::path nameForDamaged(const fs::path& directory) {
  for (int n = 1;; ++n) {
    fs::path name = directory / (kSetAside + std::to_string(n) + ".db");
    std::error_code ignored;
    // A log without a file was set aside by a process that was killed before it moved the file, which has no log in its place since.
    const bool is_log_free = !fs::exists(logOf(name), ignored) || !fs::exists(logOf(directory / kFile), ignored);
    if (!fs::exists(name, ignored) && is_log_free) {
      return name;
    }
  }
}

// Returns the path of the damaged file; empty when there is no replacement to be put in place.
base::Result<std::string> putReplacementInPlace(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory / kReplacement, error)) {
    return std::string();
  }
  const fs::path damaged = nameForDamaged(directory);
  // The log first: SQLite would take a log that is left alone for that of the replacement.
  TG_TRY(moveFile(logOf(directory / kFile), logOf(damaged)));
  TG_TRY(moveFile(directory / kFile, damaged));
  TG_TRY(moveFile(directory / kReplacement, directory / kFile));
  return damaged.string();
}

// Writes what can be read of the damaged file into a new one. Returns whether `unreadable` tells how many records it did not give back.
base::Result<bool> makeReplacement(const fs::path& directory, std::uint64_t& unreadable) {
  bool is_number_known = false;
  std::error_code ignored;
  const fs::path begun = directory / kReplacementBegun;
  fs::remove(begun, ignored);
  fs::remove(logOf(begun), ignored);
  {
    TG_TRY_ASSIGN(replacement, RecordStore::open(begun.string()));
    base::Result<void> copied;
    auto damaged = RecordStore::open((directory / kFile).string());
    if (damaged) {
      (*damaged)->keepLog();
      is_number_known = (*damaged)->salvage(
          [&](std::int64_t row, Record record) {
            const std::unique_ptr<Record> one[] = {std::make_unique<Record>(std::move(record))};
            if (copied) {
              copied = replacement->write(row, one, {});
            }
            if (copied && replacement->isCheckpointDue()) {
              copied = replacement->checkpoint(false).map([](int) {});
            }
          },
          unreadable);
    } else if (damaged.error().code != base::ErrorCode::kInvalid) {
      return tl::unexpected(damaged.error());  // not damage: another process, a failing disk
    }
    TG_TRY(copied);
    TG_TRY(replacement->checkpoint(true));
  }
  TG_TRY(moveFile(begun, directory / kReplacement));
  return is_number_known;
}

base::Result<void> read(OpenedStore& opened, const fs::path& file, std::int64_t memory_bytes_max) {
  opened.rows.clear();
  TG_TRY_ASSIGN(store, RecordStore::open(file.string()));
  std::int64_t memory_bytes = 0;
  auto outcome = store->readAll([&](std::int64_t row, Record record) {
    StoredRow stored{row, sizeOf(record), nullptr};
    if (memory_bytes + stored.bytes <= memory_bytes_max) {
      memory_bytes += stored.bytes;
      stored.record = std::make_unique<Record>(std::move(record));
    }
    opened.rows.push_back(std::move(stored));
  });
  if (!outcome) {
    store->keepLog();  // for the operator, and for the salvage
    return outcome;
  }
  opened.store = std::move(store);
  return {};
}

}  // namespace

std::int64_t setAsideBytes(const std::string& directory) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().string().starts_with(kSetAside)) {
      std::error_code gone;  // an operator removes them meanwhile
      const auto size = at->file_size(gone);
      bytes += gone ? 0 : std::max(static_cast<std::int64_t>(size), kFileBytesMin);
    }
  }
  return bytes;
}

base::Result<OpenedStore> openStore(const std::string& directory, std::int64_t memory_bytes_max, bool is_damaged) {
  OpenedStore opened;
  const fs::path file = fs::path(directory) / kFile;
  TG_TRY_ASSIGN(finished, putReplacementInPlace(directory));
  opened.set_aside = finished;
  base::Result<void> outcome = base::fail(base::ErrorCode::kInvalid, "found damaged while it was used");
  if (!is_damaged || !finished.empty()) {
    outcome = read(opened, file, memory_bytes_max);
  }
  if (!outcome && outcome.error().code == base::ErrorCode::kInvalid) {
    TG_TRY_ASSIGN(is_number_known, makeReplacement(directory, opened.unreadable));
    TG_TRY_ASSIGN(set_aside, putReplacementInPlace(directory));
    opened.set_aside = set_aside;
    const std::string unreadable = is_number_known ? std::to_string(opened.unreadable) : "unknown";
    telemetry::error("the spool's file is damaged, what can be read of it is kept in a new one",
                     {{"file", opened.set_aside}, {"records_unreadable", unreadable}, {"error", outcome.error().message}});
    outcome = read(opened, file, memory_bytes_max);
  }
  TG_TRY(outcome);
  return opened;
}

}  // namespace tollgate::spool
