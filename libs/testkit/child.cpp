#include "libs/testkit/child.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/testkit/wait.hpp"

extern char** environ;

namespace tollgate::testkit {
namespace {

// PR_SET_PDEATHSIG fires when the *thread* that forked ends, so all forks are done by one thread that lives as long as the process.
class Spawner {
 public:
  static Spawner& instance() {
    static auto* spawner = new Spawner;  // never destroyed: its thread runs until the process ends
    return *spawner;
  }

  pid_t run(const std::function<pid_t()>& fork_and_exec) {
    std::packaged_task<pid_t()> task(fork_and_exec);
    auto result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      task_ = &task;
      wake_.notify_one();
      // One at a time: the lock of serial_ is held by the caller of run() below.
    }
    return result.get();
  }

  std::mutex& serial() { return serial_; }

 private:
  Spawner() {
    std::thread([this] { loop(); }).detach();
  }

  void loop() {
    for (;;) {
      std::packaged_task<pid_t()>* task = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return task_ != nullptr; });
        task = std::exchange(task_, nullptr);
      }
      (*task)();
    }
  }

  std::mutex serial_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::packaged_task<pid_t()>* task_ = nullptr;
};

// The program's path when only /usr/sbin has it, which not every PATH names; else `name` for execvpe().
std::string programOf(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const char* given = std::getenv("PATH");
  std::istringstream folders(given == nullptr ? "" : given);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) {
      return name;
    }
  }
  const std::string in_sbin = "/usr/sbin/" + name;
  return ::access(in_sbin.c_str(), X_OK) == 0 ? in_sbin : name;
}

// Everything the child needs, made before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Image {
  explicit Image(const Child::Options& options) : program(programOf(options.command[0])), command(options.command) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const std::string name(text.substr(0, text.find('=')));
      if (!text.starts_with("TOLLGATE_") && !options.environment.contains(name)) {
        environment.emplace_back(text);
      }
    }
    for (const auto& [name, value] : options.environment) {
      environment.push_back(name + "=" + value);
    }
    for (auto& word : command) {
      argv.push_back(word.data());
    }
    for (auto& entry : environment) {
      envp.push_back(entry.data());
    }
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    input = options.input_file.empty() ? "/dev/null" : options.input_file;
    output = options.output_file.empty() ? "/dev/null" : options.output_file;
    directory = options.working_directory;
  }

  std::string program;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::string input;
  std::string output;
  std::string directory;
};

[[noreturn]] void becomeProgram(const Image& image, pid_t parent, int report) {
  const auto giveUp = [report] {
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(report, &error, sizeof error);
    ::_exit(127);
  };
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(127);
  }
  ::setpgid(0, 0);  // a Ctrl-C at the terminal is for the test, which then ends its children
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int in = ::open(image.input.c_str(), O_RDONLY);
  const int out = ::open(image.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (in < 0 || out < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) {
    giveUp();
  }
  if (!image.directory.empty() && ::chdir(image.directory.c_str()) != 0) {
    giveUp();
  }
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // sockets of the test stay with the test
  ::execvpe(image.program.c_str(), image.argv.data(), image.envp.data());
  giveUp();
  ::_exit(127);
}

int exitCodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

base::Result<std::unique_ptr<Child>> Child::start(const Options& options) {
  if (options.command.empty()) {
    return base::fail(base::ErrorCode::kInvalid, "no command");
  }
  const Image image(options);
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    return base::fail(base::ErrorCode::kInternal, std::string("pipe2: ") + std::strerror(errno));
  }
  const pid_t parent = ::getpid();
  const std::lock_guard serial(Spawner::instance().serial());
  const pid_t pid = Spawner::instance().run([&]() -> pid_t {
    const pid_t forked = ::fork();
    if (forked == 0) {
      becomeProgram(image, parent, pipe_ends[1]);
    }
    return forked;
  });
  ::close(pipe_ends[1]);
  int error = 0;
  const bool failed = pid > 0 && ::read(pipe_ends[0], &error, sizeof error) == static_cast<ssize_t>(sizeof error);
  ::close(pipe_ends[0]);
  if (pid < 0) {
    return base::fail(base::ErrorCode::kInternal, "fork failed");
  }
  if (failed) {
    ::waitpid(pid, nullptr, 0);
    return base::fail(base::ErrorCode::kNotFound, options.command[0] + ": " + std::strerror(error));
  }
  return std::unique_ptr<Child>(new Child(pid));
}

Child::~Child() {
  const std::lock_guard lock(mutex_);
  if (!exit_code_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Child::reapIfEnded() {
  int status = 0;
  if (!exit_code_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = exitCodeOf(status);
  }
}

bool Child::isRunning() {
  const std::lock_guard lock(mutex_);
  reapIfEnded();
  return !exit_code_;
}

void Child::signal(int number) {
  const std::lock_guard lock(mutex_);
  reapIfEnded();
  if (!exit_code_) {
    ::kill(pid_, number);
  }
}

std::optional<int> Child::waitExit(std::chrono::milliseconds limit) {
  (void)waitUntil([this] { return !isRunning(); }, limit);
  const std::lock_guard lock(mutex_);
  return exit_code_;
}

int Child::terminate(std::chrono::milliseconds limit) {
  signal(SIGCONT);  // a paused child would not see the SIGTERM
  signal(SIGTERM);
  if (const auto code = waitExit(limit)) {
    return *code;
  }
  signal(SIGKILL);
  return waitExit(std::chrono::seconds(30)).value_or(128 + SIGKILL);
}

base::Result<int> runToEnd(const Child::Options& options, std::chrono::milliseconds limit) {
  TG_TRY_ASSIGN(child, Child::start(options));
  const auto code = child->waitExit(limit);
  if (!code) {
    return base::fail(base::ErrorCode::kTimeout, options.command[0] + " did not end in time");
  }
  return *code;
}

std::string fileTail(const std::string& path, std::size_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  return text.size() > bytes ? text.substr(text.size() - bytes) : text;
}

}  // namespace tollgate::testkit
