// Real servers for tests. Each listens on a free loopback port and keeps its data in its own folder. It ends when the object is destroyed,
// and also when the test process dies. Constructors start the server and wait until it is ready.
// Thread: one per object. Errors: std::runtime_error with the end of the server's log when it does not become ready.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libs/testkit/child.hpp"
#include "libs/testkit/ports.hpp"
#include "libs/testkit/temp_dir.hpp"

namespace tollgate::testkit {

class Server {
 public:
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_.port(); }
  [[nodiscard]] pid_t pid() const { return child_ ? child_->pid() : 0; }
  [[nodiscard]] bool isRunning() { return child_ && child_->isRunning(); }
  [[nodiscard]] std::string log() const { return fileTail(log_file_); }  // since the last start
  [[nodiscard]] const TempDir& folder() const { return folder_; }

  void stop();   // SIGTERM; waits for its end
  void kill();   // SIGKILL, like a crash
  void start();  // again, on the same port and data
  void restart() { stop(), start(); }
  void pause();   // SIGSTOP: the server hangs, but the kernel still accepts connections for it
  void resume();  // SIGCONT

 protected:
  Server() = default;
  // Called by the constructor of each server. Tries another port when another program took the chosen one first.
  void startFirst();
  [[nodiscard]] virtual std::vector<std::string> command() = 0;
  [[nodiscard]] virtual std::string_view readyText() const = 0;  // in the log, once it listens

 private:
  [[nodiscard]] bool tryStart();

  // Owned.
  PortLease port_;
  TempDir folder_;
  std::unique_ptr<Child> child_;
  // Derived.
  std::string log_file_;
  int starts_ = 0;
};

struct NatsOptions {
  bool jetstream = true;  // file store; survives a restart and a kill
  std::string extra;      // more lines of configuration
  std::string whole;      // not empty: the whole configuration, with @PORT@ and @STORE@ in it
};

class NatsServer final : public Server {
 public:
  explicit NatsServer(NatsOptions options = {});
  [[nodiscard]] std::string url() const;  // nats://127.0.0.1:<port>
  void wipe();                            // empties the store. Requires: not running

 private:
  [[nodiscard]] std::vector<std::string> command() override;
  [[nodiscard]] std::string_view readyText() const override { return "Server is ready"; }
  NatsOptions options_;
};

struct RedisOptions {
  bool append_only = false;  // true: data survives a restart
  std::string extra;         // more lines of configuration
};

class RedisServer final : public Server {
 public:
  explicit RedisServer(RedisOptions options = {});
  [[nodiscard]] std::string host() const { return "127.0.0.1"; }

 private:
  [[nodiscard]] std::vector<std::string> command() override;
  [[nodiscard]] std::string_view readyText() const override { return "Ready to accept connections"; }
  RedisOptions options_;
};

struct MariaDbOptions {
  std::vector<std::string> extra;  // more command line options
};

// With the database of deploy/mysql, all migrations applied, and a user who may do everything. Committed rows survive restart() and kill().
class MariaDb final : public Server {
 public:
  explicit MariaDb(MariaDbOptions options = {});
  [[nodiscard]] std::string host() const { return "127.0.0.1"; }
  [[nodiscard]] std::string user() const { return kUser; }
  [[nodiscard]] std::string password() const { return kPassword; }
  [[nodiscard]] std::string database() const { return kDatabase; }
  // Runs statements with the command line client; throws std::runtime_error with its message. Returns what it printed (tab separated).
  std::string runSql(const std::string& statements);

  static constexpr const char* kUser = "tollgate";
  static constexpr const char* kPassword = "tollgate";
  static constexpr const char* kDatabase = "tollgate";

 private:
  [[nodiscard]] std::vector<std::string> command() override;
  [[nodiscard]] std::string_view readyText() const override { return "ready for connections"; }
  MariaDbOptions options_;
};

}  // namespace tollgate::testkit
