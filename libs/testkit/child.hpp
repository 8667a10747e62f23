// A child process of a test. The kernel kills it when the test process ends, also after a crash. Only its own pid is waited for. Any
// thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "libs/base/result.hpp"

namespace tollgate::testkit {

class Child {
 public:
  struct Options {
    std::vector<std::string> command;                // command[0] is looked up on PATH, then in /usr/sbin
    std::map<std::string, std::string> environment;  // added to the test's own environment, without its TOLLGATE_*
    std::string output_file;                         // stdout and stderr, appended; empty = /dev/null
    std::string input_file;                          // stdin; empty = /dev/null
    std::string working_directory;                   // empty = the test's
  };

  // Errors: kNotFound when the program cannot be executed.
  [[nodiscard]] static base::Result<std::unique_ptr<Child>> start(const Options& options);
  ~Child();  // SIGKILL when it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool isRunning();
  // Does nothing when it has ended.
  void signal(int number);
  // Exit code, or 128 + signal; nothing when it still runs after the limit.
  [[nodiscard]] std::optional<int> waitExit(std::chrono::milliseconds limit);
  // SIGTERM, and SIGKILL after the limit. Exit code as above.
  int terminate(std::chrono::milliseconds limit);

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  void reapIfEnded();

  const pid_t pid_;
  std::mutex mutex_;
  std::optional<int> exit_code_;
};

// Runs a program to its end and returns its exit code; the output is in `output_file`. Errors: kNotFound, and kTimeout after the limit.
[[nodiscard]] base::Result<int> runToEnd(const Child::Options& options, std::chrono::milliseconds limit);

// The last `bytes` of a file, for failure messages; empty when there is none.
[[nodiscard]] std::string fileTail(const std::string& path, std::size_t bytes = 4000);

}  // namespace tollgate::testkit
