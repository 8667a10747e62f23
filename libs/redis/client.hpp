// An asynchronous Redis client with a thread of its own. Commands are queued, those that wait together are written together, and the
// replies come in the order of the commands. A command without a reply by its deadline completes with kTimeout; after several timeouts in a
// row the client opens a new connection, because a hung server does not close the old one. Scripts are loaded again after every connect.
//
// Threads: any thread may call the client; completions run on the client's thread and must not block. Owns: the connection and the thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::redis {

struct ClientSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;      // ACL user; empty = default
  std::string password;  // empty = no AUTH
  int database = 0;
  std::chrono::milliseconds command_timeout{500};
  std::size_t pending_max = 100000;  // queued and unanswered commands; one more is refused with kOverLimit
};

// A reply as a value; arrays may be nested.
struct Reply {
  enum class Kind { kNil, kInteger, kText, kArray };
  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;  // bulk strings and status lines
  std::vector<Reply> elements;
};

using Done = std::function<void(base::Result<Reply>)>;

// A Lua script with its SHA-1. The client sends EVALSHA, and EVAL when the server answers NOSCRIPT.
class Script {
 public:
  explicit Script(std::string source);
  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::string& sha1() const { return sha1_; }

 private:
  std::string source_;
  std::string sha1_;
};

// The metrics of a client, registered under the name of its service: tollgate_<service>_redis_*.
struct ClientMetrics {
  ClientMetrics(telemetry::Metrics& metrics, std::string_view service);
  telemetry::Counter& connects;
  telemetry::Counter& timeouts;
  telemetry::Counter& refused;  // not connected, or more than pending_max
};

class Client {
 public:
  // Starts the thread, which connects and tries again until it succeeds. `scripts` are loaded on every connect.
  explicit Client(ClientSettings settings, std::vector<Script> scripts = {}, std::optional<ClientMetrics> metrics = std::nullopt);
  // Completes all pending commands with kUnavailable.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool isConnected() const;

  // Send a command or run a script; `done` is called exactly once. Requires: a command has at least one word.
  // Errors: kUnavailable, not connected, or the connection was lost before the reply (the command may have been executed); kTimeout, no
  // reply within command_timeout (the same holds); kOverLimit, pending_max is reached; kInternal, the server replied with an error, which
  // is the message.
  void command(std::vector<std::string> words, Done done);
  void run(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done);

  // Sends several commands in one write. Errors: as above, for each command.
  struct Call {
    std::vector<std::string> words;
    Done done;
  };
  void commands(std::vector<Call> calls);

  // Blocking forms. Requires: not the client's own thread. Errors: as above.
  [[nodiscard]] base::Result<Reply> wait(std::vector<std::string> words);
  [[nodiscard]] base::Result<Reply> waitRun(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::redis
