#include "libs/spool/directory_lock.hpp"

#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace tollgate::spool {

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

base::Result<void> DirectoryLock::take(const std::string& directory) {
  std::error_code ignored;  // open() then fails as well
  std::filesystem::create_directories(directory, ignored);
  fd_ = ::open((std::filesystem::path(directory) / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    return base::fail(base::ErrorCode::kInternal, "the spool directory " + directory + " cannot be used");
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    return base::fail(base::ErrorCode::kConflict, "the spool directory " + directory + " is used by another process");
  }
  return {};
}

}  // namespace tollgate::spool
