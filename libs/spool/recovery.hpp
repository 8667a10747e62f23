// Opens the store of a directory that is empty, that a killed process left, or that holds a damaged file. Called by the thread that opens
// the spool, and by the spool's thread when it finds the file damaged while it is used. Private to libs/spool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/spool/record_store.hpp"

namespace tollgate::spool {

struct StoredRow {
  std::int64_t row = 0;
  std::int64_t bytes = 0;          // sizeOf(record)
  std::unique_ptr<Record> record;  // null beyond memory_bytes_max: to be read from the store
};

struct OpenedStore {
  std::unique_ptr<RecordStore> store;
  std::vector<StoredRow> rows;   // in order
  std::string set_aside;         // path of a damaged file that was replaced; empty: the file was in order
  std::uint64_t unreadable = 0;  // records that are in the damaged file and could not be read, as far as it tells how many there are
};

// How much the files take that were set aside as damaged, with their logs; each counts as a page of the disk at least, so that their number
// is bounded as well.
[[nodiscard]] std::int64_t setAsideBytes(const std::string& directory);

// A damaged file becomes damaged-<n>.db with its log beside it, for an operator to look at, and a new one takes over every record that can
// still be read. `is_damaged`: the caller knows that it is, which a check of the file may not see.
// Errors: kConflict: another process uses the file, or a newer program wrote it, and it is as it was. kOverLimit: the disk has no room for
// a new file. kInternal: the disk fails. The damaged file is then still in its place, and the function may be called again.
[[nodiscard]] base::Result<OpenedStore> openStore(const std::string& directory, std::int64_t memory_bytes_max, bool is_damaged = false);

}  // namespace tollgate::spool
