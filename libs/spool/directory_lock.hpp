// Ensures that one process at a time uses the directory of a spool. SQLite's own lock is not enough, because it belongs to the database
// file, which may be set aside. Owns: the handle of the file `lock`; the kernel frees the lock when the handle is closed or the process
// ends. One thread at a time. Private to libs/spool.
#pragma once

#include <string>

#include "libs/base/result.hpp"

namespace tollgate::spool {

class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  // Makes the directory when it is missing. Requires: not taken yet.
  // Errors: kConflict: another process or spool uses the directory. kInternal: the directory cannot be used.
  [[nodiscard]] base::Result<void> take(const std::string& directory);

 private:
  int fd_ = -1;
};

}  // namespace tollgate::spool
