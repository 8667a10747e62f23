// The records of a spool on disk: one table in a SQLite database with a write-ahead log, `records.db` in the spool's directory. Records
// that are written or removed together are one transaction, so a process that is killed at any moment leaves no record in part. One thread.
// Private to libs/spool.
//
// A killed process loses nothing: what was written is in the kernel. Against a power failure SQLite runs with synchronous=OFF and the spool
// itself decides when data must reach the disk: sync(), and checkpoint() for records that were promised to survive. Usually the bus has
// stored a record long before that, and nothing is forced to disk for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "libs/base/result.hpp"
#include "libs/spool/database.hpp"

namespace tollgate::spool {

struct Record {
  std::string subject;
  std::string message_id;
  std::string data;
};

[[nodiscard]] std::int64_t sizeOf(const Record& record);

// Numbers of the rows [first, last].
struct RowRange {
  std::int64_t first;
  std::int64_t last;
};

class RecordStore {
 public:
  using OnRow = std::function<void(std::int64_t row, Record record)>;

  // Opens the database of this directory, or makes it. Errors: as Database; kInvalid also when its table is not of this version.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordStore>> open(const std::string& path);

  // Checks the whole file and gives every record in the order of rows. Errors: kInvalid: damaged; some rows may have been given already.
  [[nodiscard]] base::Result<void> readAll(const OnRow& on_row);

  // One transaction: removes rows, and adds records as the rows from `first_row` on. After an Error nothing has changed.
  // Requires: the rows to add do not exist; `removed` is in order.
  [[nodiscard]] base::Result<void> write(std::int64_t first_row, std::span<const std::unique_ptr<Record>> added,
                                         std::span<const RowRange> removed);
  // Errors: kNotFound; kInvalid: the record is damaged.
  [[nodiscard]] base::Result<Record> read(std::int64_t row);

  // Forces to disk what was written: all of it then survives a power failure.
  [[nodiscard]] base::Result<void> sync();

  // Whether the log has grown enough to be copied into the database file, which ends its growth.
  [[nodiscard]] bool isCheckpointDue() const;
  // `is_durable`: the records in the store have been promised to survive a power failure (sync()), so the order of the copies on the disk
  // matters. When none has been, the copying costs no wait for the disk.
  // Returns how many frames the log had.
  [[nodiscard]] base::Result<int> checkpoint(bool is_durable);
  // Shrinks the file of a store without records when the file is large.
  [[nodiscard]] base::Result<void> giveSpaceBack();

  // For a damaged file: gives every record that can still be read, and adds the number of the others to `unreadable`; a part of a page may
  // count more than once. False: there may be more records that are not counted, because the table cannot be read behind the damage.
  [[nodiscard]] bool salvage(const OnRow& on_row, std::uint64_t& unreadable);
  void keepLog() { database_.keepLog(); }

 private:
  RecordStore(std::string path, Database database);
  [[nodiscard]] base::Result<void> prepare();
  [[nodiscard]] base::Result<void> transact(std::int64_t first_row, std::span<const std::unique_ptr<Record>> added,
                                            std::span<const RowRange> removed);
  [[nodiscard]] base::Result<void> checkLog();

  // Passed in.
  std::string path_;
  // Owned. The statements are finalised before the database is closed.
  Database database_;
  Statement begin_;
  Statement commit_;
  Statement rollback_;
  Statement insert_;
  Statement remove_;
  Statement remove_all_;
  Statement select_;
  // Derived.
  std::int64_t lowest_ = 1;      // no row is below
  std::int64_t highest_ = 0;     // no row is above
  bool is_name_synced_ = false;  // of the files, in the directory
  bool is_main_dirty_ = false;   // pages were copied into the database file and not forced to disk
};

}  // namespace tollgate::spool
