// One connection to Redis with the commands that wait for a reply on it. It connects, authenticates, loads the scripts, watches the
// deadlines and reconnects. Private to libs/redis. Threads: the client's thread only, but for isReady() and `pending`. Owns: the
// connection.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <hiredis/async.h>

#include "libs/redis/client.hpp"

namespace tollgate::redis {

using Time = std::chrono::steady_clock::time_point;

struct Command {
  std::vector<std::string> words;
  Done done;
  Time deadline;
  std::shared_ptr<const std::string> source;  // of the script, for NOSCRIPT; shared with the client's table of scripts
};

class Session {
 public:
  Session(const ClientSettings& settings, const std::vector<Script>& scripts, const std::optional<ClientMetrics>& metrics, int epoll);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Puts the command into the output buffer, which flush() writes to the socket.
  void submit(Command command);
  void flush();
  void onEvents(std::uint32_t events);
  // Completes commands whose deadline has passed, reconnects, sends the keep-alive PING.
  void tick(Time now);
  [[nodiscard]] Time nextTick() const;
  // Registers with epoll the events that hiredis waits for. Called before every epoll_wait.
  void arm();
  void close(const std::string& error);
  // Calls `done`, which counts as one pending command less.
  void complete(const Done& done, base::Result<Reply> result);
  // The same with an Error, for a command that is not sent.
  void refuse(const Done& done, base::Error error);

  // Any thread.
  [[nodiscard]] bool isReady() const { return ready_.load(std::memory_order_relaxed); }
  std::atomic<std::size_t> pending{0};  // queued and unanswered commands: the client adds, the session subtracts

 private:
  using Unanswered = std::unordered_map<std::uint64_t, Command>;
  enum class Phase { kWaiting, kConnecting, kGreeting, kReady };

  void connect(Time now);
  void greet();
  void onGreeting(const redisReply* reply);
  void onReply(std::uint64_t id, const redisReply* reply);
  void retryAsEval(Unanswered::iterator found);
  // Completes a command that was sent.
  void answer(Unanswered::iterator found, base::Result<Reply> result);
  [[nodiscard]] bool write(redisCallbackFn* callback, std::uint64_t id, const std::vector<std::string>& words);
  void onLost(const std::string& error);
  void want(std::uint32_t mask, bool on);
  void expire(Time now);

  static void connected(const redisAsyncContext* context, int status) noexcept;
  static void disconnected(const redisAsyncContext* context, int status) noexcept;
  static void replied(redisAsyncContext* context, void* reply, void* id) noexcept;
  static void greeted(redisAsyncContext* context, void* reply, void* id) noexcept;

  // Passed in.
  const ClientSettings& settings_;
  const std::vector<Script>& scripts_;
  const std::optional<ClientMetrics>& metrics_;
  const int epoll_;

  // Owned. hiredis frees the context after a failed connect and after a disconnect; the pointer is then only set to nullptr.
  redisAsyncContext* context_ = nullptr;
  Unanswered unanswered_;
  std::deque<std::pair<Time, std::uint64_t>> deadlines_;
  std::uint64_t last_id_ = 0;

  // Derived.
  Phase phase_ = Phase::kWaiting;
  std::atomic<bool> ready_{false};
  Time phase_ends_{};  // when to connect next, or when connecting and greeting have taken too long
  Time ping_at_{};
  std::chrono::milliseconds backoff_{0};
  std::size_t greetings_left_ = 0;
  int timeouts_in_a_row_ = 0;
  bool broken_ = false;  // the next tick closes the connection
  int fd_ = -1;          // registered with epoll
  std::uint32_t wanted_ = 0;
  std::uint32_t armed_ = 0;
};

}  // namespace tollgate::redis
