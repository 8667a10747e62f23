#include "libs/spool/record_store.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

namespace tollgate::spool {
namespace {

// journal_size_limit: of the log after it was copied; one transaction of a large batch may make it longer.
// Page size: in the usual case everything that is in the table fits into one page, which is then all that a transaction writes.
// Locking mode before journal mode: in EXCLUSIVE the log needs no index in shared memory, and a transaction no calls for locks.
// secure_delete: Debian builds SQLite with it, which overwrites every removed record with zeros.
// cell_size_check: damaged pages are found when they are read, not when they have done harm.
constexpr const char* kSettings =
    "PRAGMA page_size=16384; PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA secure_delete=OFF;"
    "PRAGMA journal_size_limit=16777216; PRAGMA cell_size_check=ON;";
constexpr const char* kJournalMode = "PRAGMA journal_mode=WAL";  // answers with the mode that is now in use
// Of the table, in user_version. Damage may have made it 0: hence IF NOT EXISTS.
constexpr std::int64_t kVersion = 1;
constexpr const char* kMakeTable =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS records(row INTEGER PRIMARY KEY, subject TEXT NOT NULL, message_id TEXT NOT NULL, data BLOB NOT NULL,"
    " crc INTEGER NOT NULL) STRICT;"
    "PRAGMA user_version=1;"
    "COMMIT;";

constexpr int kLogPagesMax = 256;                  // 4 MB, of which the kernel has all in memory
constexpr std::int64_t kEmptyFilePagesMax = 1024;  // 16 MB: above, an empty file is made small again
constexpr std::int64_t kSalvageProbesMax = 1'000'000;

// The log's format: https://www.sqlite.org/fileformat2.html#walformat. All numbers are big-endian.
constexpr std::size_t kLogHeadBytes = 32;
constexpr std::size_t kLogHeadPageSize = 8;
constexpr std::size_t kLogHeadSalt = 16;
constexpr std::size_t kLogHeadChecksum = 24;
constexpr std::uint32_t kLogMagic = 0x377f0682;  // plus 1: the checksums are over big-endian numbers, otherwise over little-endian ones
constexpr std::size_t kFrameHeadBytes = 24;
constexpr std::size_t kFrameCommit = 4;  // not 0 in the last frame of a transaction
constexpr std::size_t kFrameSalt = 8;
constexpr std::size_t kSaltBytes = 8;

base::Result<void> damaged(const std::string& what) {
  return base::fail(base::ErrorCode::kInvalid, what);
}

// SQLite's own checksums cover the log but not the database file.
std::int64_t crcOf(std::string_view subject, std::string_view message_id, std::string_view data) {
  uLong crc = 0;
  for (const std::string_view part : {subject, message_id, data}) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  return static_cast<std::int64_t>(crc);
}

// Columns: row, subject, message_id, data, crc.
base::Result<Record> recordOf(const Statement& statement) {
  if (crcOf(statement.bytes(1), statement.bytes(2), statement.bytes(3)) != statement.number(4)) {
    return base::fail(base::ErrorCode::kInvalid, "record " + std::to_string(statement.number(0)) + " is not what was written");
  }
  return Record{std::string(statement.bytes(1)), std::string(statement.bytes(2)), std::string(statement.bytes(3))};
}

std::uint32_t numberAt(const char* bytes) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) {
    number = number << 8U | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

// SQLite takes a log with a damaged head for an empty one.
bool isLogHead(const char* head) {
  const bool is_big_endian = numberAt(head) == kLogMagic + 1;
  if (!is_big_endian && numberAt(head) != kLogMagic) {
    return false;
  }
  const auto number = [&](std::size_t at) { return is_big_endian ? numberAt(head + at) : __builtin_bswap32(numberAt(head + at)); };
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  for (std::size_t at = 0; at < kLogHeadChecksum; at += 8) {
    first += number(at) + second;
    second += number(at + 4) + first;
  }
  return first == numberAt(head + kLogHeadChecksum) && second == numberAt(head + kLogHeadChecksum + 4);
}

}  // namespace

std::int64_t sizeOf(const Record& record) {
  constexpr std::size_t kRowBytes = 24;  // numbers and lengths of a row, about
  return static_cast<std::int64_t>(record.subject.size() + record.message_id.size() + record.data.size() + kRowBytes);
}

RecordStore::RecordStore(std::string path, Database database) : path_(std::move(path)), database_(std::move(database)) {}

base::Result<std::unique_ptr<RecordStore>> RecordStore::open(const std::string& path) {
  TG_TRY_ASSIGN(database, Database::open(path));
  std::unique_ptr<RecordStore> store(new RecordStore(path, std::move(database)));  // the constructor is private
  TG_TRY(store->prepare());
  return store;
}

base::Result<void> RecordStore::prepare() {
  TG_TRY(database_.execute(kSettings));
  // Before anything is written: a file that a newer program wrote stays as it is.
  TG_TRY_ASSIGN(version, database_.number("PRAGMA user_version"));
  if (version != 0 && version != kVersion) {
    database_.keepLog();
    return base::fail(base::ErrorCode::kConflict,
                      path_ + " was written by a newer program: its table has version " + std::to_string(version) +
                          ", this program knows " + std::to_string(kVersion) +
                          ". Start the newer program until it has sent its records (tollgate_ingress_spool_records is 0), then remove the "
                          "file and its log, and start this one; or move both away to start without their records");
  }
  TG_TRY_ASSIGN(journal_mode, database_.text(kJournalMode));
  if (journal_mode != "wal") {
    return damaged(path_ + " cannot have a write-ahead log, its mode is " + journal_mode);
  }
  if (version == 0) {
    TG_TRY(database_.execute(kMakeTable));
  }
  const std::pair<Statement&, const char*> statements[] = {
      {begin_, "BEGIN IMMEDIATE"},
      {commit_, "COMMIT"},
      {rollback_, "ROLLBACK"},
      {insert_, "INSERT INTO records(row, subject, message_id, data, crc) VALUES (?, ?, ?, ?, ?)"},
      {remove_all_, "DELETE FROM records"},
      {remove_, "DELETE FROM records WHERE row BETWEEN ? AND ?"},
      {select_, "SELECT row, subject, message_id, data, crc FROM records WHERE row = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    TG_TRY_ASSIGN(prepared, database_.prepare(sql));
    statement = std::move(prepared);
  }
  return {};
}

base::Result<void> RecordStore::readAll(const OnRow& on_row) {
  TG_TRY(checkLog());
  TG_TRY_ASSIGN(verdict, database_.text("PRAGMA quick_check(1)"));
  if (verdict != "ok") {
    return damaged(verdict);
  }
  TG_TRY_ASSIGN(rows, database_.prepare("SELECT row, subject, message_id, data, crc FROM records ORDER BY row"));
  for (bool is_first = true;; is_first = false) {
    TG_TRY_ASSIGN(has_row, rows.step());
    if (!has_row) {
      return {};
    }
    TG_TRY_ASSIGN(record, recordOf(rows));
    highest_ = rows.number(0);
    lowest_ = is_first ? highest_ : lowest_;
    on_row(highest_, std::move(record));
  }
}

// SQLite takes the first damaged frame of a log for its end and drops what follows without a word. A frame beyond that end which belongs to
// the same log and ends a transaction tells that transactions were lost.
base::Result<void> RecordStore::checkLog() {
  // Durable, because what an earlier process promised to survive a power failure may be in the log alone.
  const auto frames = checkpoint(true);
  if (!frames && frames.error().code == base::ErrorCode::kInvalid) {
    return tl::unexpected(frames.error());
  }
  if (!frames) {
    return {};  // on a disk without room for the copy the log stays as it is, and its whole transactions are read from it
  }
  std::ifstream log(path_ + "-wal", std::ios::binary | std::ios::ate);
  const std::streamoff end = log.tellg();
  char head[kLogHeadBytes];
  if (!log.seekg(0) || !log.read(head, sizeof head)) {
    return {};
  }
  if (!isLogHead(head)) {
    return damaged("the head of the write-ahead log is damaged");
  }
  const auto frame_bytes = static_cast<std::streamoff>(kFrameHeadBytes + numberAt(head + kLogHeadPageSize));
  char frame[kFrameHeadBytes];
  // A power failure leaves the last transactions cut off or with frames that were never written: nothing was promised for them. When a
  // later frame of these reached the disk, that is reported as damage too: the log does not tell the two apart, and nothing is lost by it.
  for (std::streamoff at = static_cast<std::streamoff>(kLogHeadBytes) + *frames * frame_bytes;
       at + frame_bytes <= end && log.seekg(at) && log.read(frame, sizeof frame); at += frame_bytes) {
    if (std::memcmp(frame + kFrameSalt, head + kLogHeadSalt, kSaltBytes) == 0 && numberAt(frame + kFrameCommit) != 0) {
      return damaged("the write-ahead log has whole transactions behind a damaged one");
    }
  }
  return {};
}

base::Result<void> RecordStore::write(std::int64_t first_row, std::span<const std::unique_ptr<Record>> added,
                                      std::span<const RowRange> removed) {
  auto written = transact(first_row, added, removed);
  if (!written) {
    // SQLite has already rolled back after some errors, and then says so.
    static_cast<void>(rollback_.step());
    rollback_.reset();
  }
  return written;
}

base::Result<void> RecordStore::transact(std::int64_t first_row, std::span<const std::unique_ptr<Record>> added,
                                         std::span<const RowRange> removed) {
  const auto run = [](Statement& statement) -> base::Result<void> {
    const auto stepped = statement.step();
    statement.reset();
    if (!stepped) {
      return tl::unexpected(stepped.error());
    }
    return {};
  };
  TG_TRY(run(begin_));
  // Removed first: the records that are added take over the pages, and the file does not grow.
  const bool is_all_removed = removed.size() == 1 && removed.front().first <= lowest_ && removed.front().last >= highest_;
  if (is_all_removed) {
    TG_TRY(run(remove_all_));  // the usual case; SQLite then drops whole pages instead of looking for rows
  } else {
    for (const RowRange& range : removed) {
      remove_.bind(1, range.first);
      remove_.bind(2, range.last);
      TG_TRY(run(remove_));
    }
  }
  for (std::int64_t row = first_row; const auto& record : added) {
    insert_.bind(1, row++);
    insert_.bindText(2, record->subject);
    insert_.bindText(3, record->message_id);
    insert_.bindBytes(4, record->data);
    insert_.bind(5, crcOf(record->subject, record->message_id, record->data));
    TG_TRY(run(insert_));
  }
  TG_TRY(run(commit_));
  if (!removed.empty() && removed.front().first <= lowest_) {
    lowest_ = removed.front().last + 1;
  }
  if (!added.empty()) {
    lowest_ = std::min(lowest_, first_row);
    highest_ = std::max(highest_, first_row + static_cast<std::int64_t>(added.size()) - 1);
  }
  return {};
}

base::Result<Record> RecordStore::read(std::int64_t row) {
  select_.bind(1, row);
  const auto stepped = select_.step();
  base::Result<Record> record = base::fail(base::ErrorCode::kNotFound, "no such record in the spool");
  if (!stepped) {
    record = tl::unexpected(stepped.error());
  } else if (*stepped) {
    record = recordOf(select_);
  }
  select_.reset();
  return record;
}

base::Result<void> RecordStore::sync() {
  TG_TRY(database_.syncLog());
  if (is_main_dirty_) {
    TG_TRY(database_.syncMain());
    is_main_dirty_ = false;
  }
  if (!is_name_synced_) {
    const int folder = ::open(std::filesystem::path(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_name_synced_ = folder >= 0 && ::fsync(folder) == 0;
    static_cast<void>(::close(folder));
  }
  return {};
}

bool RecordStore::isCheckpointDue() const {
  return database_.logPages() >= kLogPagesMax;
}

base::Result<int> RecordStore::checkpoint(bool is_durable) {
  // The order SQLite itself keeps with synchronous=NORMAL: the log is on disk before pages are copied from it, the pages are before the
  // next transaction overwrites the log.
  if (is_durable) {
    TG_TRY(sync());
  }
  is_main_dirty_ = true;
  TG_TRY_ASSIGN(frames, database_.checkpoint());
  if (is_durable) {
    TG_TRY(sync());
  }
  return frames;
}

base::Result<void> RecordStore::giveSpaceBack() {
  TG_TRY_ASSIGN(pages, database_.number("PRAGMA page_count"));
  if (pages <= kEmptyFilePagesMax) {
    return {};
  }
  TG_TRY(database_.execute("VACUUM"));
  TG_TRY(checkpoint(false));
  return {};
}

// Damage is mostly one page: the rows before it are reached from the front, those behind it from the back, and what lies between one by
// one.
bool RecordStore::salvage(const OnRow& on_row, std::uint64_t& unreadable) {
  // Gives rows until there is no more, or one cannot be reached; returns the last that was.
  bool is_end_reached = false;
  const auto walk = [&](const char* sql, std::int64_t limit) {
    std::int64_t last = limit;
    auto rows = database_.prepare(sql);
    if (!rows) {
      return last;
    }
    rows->bind(1, limit);
    auto stepped = rows->step();
    for (; stepped && *stepped; stepped = rows->step()) {
      last = rows->number(0);
      if (auto record = recordOf(*rows)) {
        on_row(last, std::move(*record));
      } else {
        ++unreadable;
      }
    }
    is_end_reached = stepped.has_value();
    return last;
  };
  const std::int64_t front = walk("SELECT row, subject, message_id, data, crc FROM records WHERE row > ? ORDER BY row", 0);
  if (is_end_reached) {
    return true;
  }
  const std::int64_t back = walk("SELECT row, subject, message_id, data, crc FROM records WHERE row > ? ORDER BY row DESC", front);
  for (std::int64_t row = std::max(front, back - kSalvageProbesMax) + 1; row < back; ++row) {
    auto record = read(row);
    if (record) {
      on_row(row, std::move(*record));
    } else if (record.error().code != base::ErrorCode::kNotFound) {
      ++unreadable;
    }
  }
  return back > front && back - front <= kSalvageProbesMax;
}

}  // namespace tollgate::spool
