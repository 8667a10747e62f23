#include "libs/testkit/temp_dir.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tollgate::testkit {
namespace {

constexpr const char* kPrefix = "tollgate-test-";
constexpr std::time_t kStaleSeconds = 600;  // longer than from mkdtemp to flock

std::filesystem::path rootDir() {
  const char* configured = std::getenv("TMPDIR");
  return configured != nullptr && *configured != '\0' ? configured : "/tmp";
}

bool isAbandoned(const std::filesystem::path& folder) {
  struct stat about {};
  if (::lstat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != ::getuid() ||
      std::time(nullptr) - about.st_mtime < kStaleSeconds) {
    return false;
  }
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool free = fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (fd >= 0) {
    ::close(fd);
  }
  return free;
}

void removeAbandoned() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(rootDir(), ignored)) {
    if (entry.path().filename().string().starts_with(kPrefix) && isAbandoned(entry.path())) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
}

}  // namespace

TempDir::TempDir() {
  static std::once_flag once;
  std::call_once(once, removeAbandoned);
  std::string name = (rootDir() / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("mkdtemp failed under " + rootDir().string());
  }
  path_ = name;
  lock_ = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ >= 0) {
    ::flock(lock_, LOCK_EX | LOCK_NB);
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

void writeFile(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) {
    throw std::runtime_error("cannot write " + path);
  }
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace tollgate::testkit
