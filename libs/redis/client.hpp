// An asynchronous Redis client on a thread of its own: commands of any thread are queued, written in one go and answered in order.
// A command without an answer by its deadline completes with kTimeout; several in a row make the connection be rebuilt, since a hung
// server says nothing. Scripts are loaded again after every reconnect. Completions run on the client's thread and must not block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::redis {

struct ClientSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;      // ACL user; empty = default
  std::string password;  // empty = no AUTH
  int database = 0;
  std::chrono::milliseconds command_timeout{500};
  std::size_t pending_max = 100000;  // beyond: kOverLimit at once
};

// A reply as a value; nested arrays allowed.
struct Reply {
  enum class Kind { kNil, kInteger, kText, kArray };
  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;  // bulk strings and status lines
  std::vector<Reply> elements;
};

using Done = std::function<void(base::Result<Reply>)>;

// A Lua script by name; the client knows its SHA-1 and sends EVALSHA, EVAL once after NOSCRIPT.
class Script {
 public:
  Script(std::string name, std::string source);
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::string& sha1() const { return sha1_; }

 private:
  std::string name_;
  std::string source_;
  std::string sha1_;
};

// Since the start. For metrics.
struct ClientStats {
  std::uint64_t connects = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t refused = 0;  // not connected, or beyond pending_max
};

class Client {
 public:
  // Starts the thread; the connection comes up when the server does. Scripts listed here are loaded on every (re)connect.
  Client(ClientSettings settings, std::vector<Script> scripts);
  ~Client();  // completes what is pending with kUnavailable
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool isConnected() const;

  // Any thread; what all completions share: kUnavailable at once while not connected, and when the connection is lost before the answer
  // (the command may then have been run); kTimeout likewise; kInternal with the server's words when it answers with an error.
  void command(std::vector<std::string> words, Done done);
  void run(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done);

  // Several commands handed over together are written together.
  struct Call {
    std::vector<std::string> words;
    Done done;
  };
  void commands(std::vector<Call> calls);

  [[nodiscard]] ClientStats stats() const;

  // Blocking forms, for worker threads and tests; never on the client's own thread.
  [[nodiscard]] base::Result<Reply> wait(std::vector<std::string> words);
  [[nodiscard]] base::Result<Reply> waitRun(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::redis
