#include "libs/testkit/mariadb_template.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libs/testkit/child.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/temp_dir.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::testkit {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kBuildLimit{120};
constexpr std::string_view kRecipe = "1";  // raise when what is built below changes
constexpr auto kUnusedFor = std::chrono::hours(48);

fs::path sourceRoot() {
  return TOLLGATE_SOURCE_DIR;
}

// $TOLLGATE_TEST_CACHE, else a folder of this user beside the other temporary files.
fs::path cacheRoot() {
  const char* configured = std::getenv("TOLLGATE_TEST_CACHE");
  const char* tmp = std::getenv("TMPDIR");
  const fs::path root = configured != nullptr && *configured != '\0'
                            ? fs::path(configured)
                            : fs::path(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") / ("tollgate-cache-" + std::to_string(::getuid()));
  fs::create_directories(root.parent_path());
  ::mkdir(root.c_str(), 0700);
  struct stat about {};
  if (::lstat(root.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != ::getuid()) {
    throw std::runtime_error(root.string() + " is not a folder of ours");
  }
  return root;
}

void mix(std::uint64_t& hash, std::string_view bytes) {  // FNV-1a
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  }
}

std::string serverVersion() {
  const TempDir scratch;
  const std::string output = scratch.file("version");
  Child::Options options;
  options.command = {"mariadbd", "--no-defaults", "--version"};
  options.output_file = output;
  const auto code = runToEnd(options, kBuildLimit);
  if (!code || *code != 0) {
    throw std::runtime_error("mariadbd cannot be run: install mariadb-server");
  }
  return readFile(output);
}

std::string templateKey() {
  std::vector<fs::path> files{sourceRoot() / "scripts" / "migrate"};
  for (const auto& entry : fs::directory_iterator(sourceRoot() / "deploy" / "mysql")) {
    if (entry.path().extension() == ".sql") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;
  mix(hash, kRecipe);
  mix(hash, serverVersion());
  for (const auto& file : files) {
    mix(hash, file.filename().string());
    mix(hash, readFile(file.string()));
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return std::string("mariadb-") + text;
}

void runStep(std::vector<std::string> command, const std::string& input, const std::string& log) {
  Child::Options options;
  const std::string name = command.front();
  options.command = std::move(command);
  options.input_file = input;
  options.output_file = log;
  const auto code = runToEnd(options, kBuildLimit);
  if (!code || *code != 0) {
    throw std::runtime_error(name + " failed:\n" + fileTail(log));
  }
}

void build(const fs::path& folder) {
  const TempDir scratch;
  const std::string log = scratch.file("log");
  std::vector<std::string> install{
      "mariadb-install-db", "--no-defaults",       "--datadir=" + folder.string(), "--auth-root-authentication-method=normal",
      "--skip-test-db",     "--skip-name-resolve", "--innodb-log-file-size=8M"};
  if (::getuid() == 0) {
    install.emplace_back("--user=root");
  }
  runStep(install, "", log);
  const PortLease port;
  const std::string socket = scratch.file("socket");
  Child::Options options;
  options.command = mariaDbCommand(folder.string(), socket, port.port());
  options.output_file = log;
  auto server = Child::start(options);
  if (!server) {
    throw std::runtime_error(server.error().message);
  }
  if (!waitUntil([&] { return fileTail(log).find("ready for connections") != std::string::npos || !(*server)->isRunning(); },
                 kBuildLimit) ||
      !(*server)->isRunning()) {
    throw std::runtime_error("mariadbd does not start:\n" + fileTail(log));
  }
  const std::string statements = scratch.file("statements");
  const std::string database = MariaDb::kDatabase;
  const std::string user = std::string("'") + MariaDb::kUser + "'@'%'";
  writeFile(statements, "CREATE DATABASE " + database + " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\nCREATE USER " + user +
                            " IDENTIFIED BY '" + MariaDb::kPassword + "';\nGRANT ALL ON *.* TO " + user + " WITH GRANT OPTION;\n");
  runStep({"mariadb", "--no-defaults", "--user=root", "--socket=" + socket}, statements, log);
  const std::string password = scratch.file("password");
  writeFile(password, std::string(MariaDb::kPassword) + "\n");
  runStep({(sourceRoot() / "scripts" / "migrate").string(), "--port", std::to_string(port.port()), "--user", MariaDb::kUser,
           "--password-file", password, "--database", database},
          "", log);
  if ((*server)->terminate(kBuildLimit) != 0) {
    throw std::runtime_error("mariadbd does not stop in order:\n" + fileTail(log));
  }
}

// Holds the lock file of one template for a scope.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) {
      throw std::runtime_error("cannot lock " + path.string());
    }
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

void removeUnused(const fs::path& cache, const fs::path& keep) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    const bool old = fs::file_time_type::clock::now() - fs::last_write_time(entry.path(), ignored) > kUnusedFor;
    if (entry.path() != keep && entry.is_directory(ignored) && entry.path().filename().string().starts_with("mariadb-") && old) {
      fs::remove_all(entry.path(), ignored);
    }
  }
}

}  // namespace

std::vector<std::string> mariaDbCommand(const std::string& data, const std::string& socket, std::uint16_t port) {
  std::vector<std::string> words{"mariadbd",
                                 "--no-defaults",
                                 "--datadir=" + data,
                                 "--socket=" + socket,
                                 "--pid-file=" + socket + ".pid",
                                 "--port=" + std::to_string(port),
                                 "--bind-address=127.0.0.1",
                                 "--skip-name-resolve",
                                 "--character-set-server=utf8mb4",
                                 "--collation-server=utf8mb4_unicode_ci",
                                 "--innodb-buffer-pool-size=16M",
                                 "--innodb-log-file-size=8M",
                                 "--innodb-flush-log-at-trx-commit=2",  // survives SIGKILL, not a power cut
                                 "--innodb-use-native-aio=0",
                                 "--aria-pagecache-buffer-size=1M",
                                 "--key-buffer-size=256K",
                                 "--performance-schema=0",
                                 "--skip-log-bin",
                                 "--max-connections=100"};
  if (::getuid() == 0) {
    words.emplace_back("--user=root");
  }
  return words;
}

void copyMariaDbTemplate(const std::string& folder) {
  const fs::path cache = cacheRoot();
  const std::string key = templateKey();
  const fs::path ready = cache / key;
  if (!fs::exists(ready)) {
    const FileLock lock(cache / (key + ".lock"));
    if (!fs::exists(ready)) {
      const fs::path building = cache / (key + ".building");  // of a builder that died, if it exists: we hold the lock
      fs::remove_all(building);
      build(building);
      fs::rename(building, ready);
      removeUnused(cache, ready);
    }
  }
  fs::last_write_time(ready, fs::file_time_type::clock::now());
  fs::copy(ready, folder, fs::copy_options::recursive);
}

}  // namespace tollgate::testkit
