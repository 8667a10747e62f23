// One connection to Redis and what waits for an answer on it. Used by the client's thread only. Private to libs/redis.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
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
  Session(const ClientSettings& settings, const std::vector<Script>& scripts, int epoll);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Puts it into the output buffer; flush() writes.
  void submit(Command command);
  void flush();
  void onEvents(std::uint32_t events);
  // Deadlines, reconnects, keep-alive.
  void tick(Time now);
  [[nodiscard]] Time nextTick() const;
  // Brings the epoll registration to what hiredis wants. Before epoll_wait.
  void arm();
  void close(const std::string& why);

  // Any thread.
  [[nodiscard]] bool isReady() const { return ready_.load(std::memory_order_relaxed); }
  std::atomic<std::size_t> pending{0};  // queued and unanswered; the client adds, the session subtracts
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> refused{0};

  void complete(const Done& done, base::Result<Reply> result);

 private:
  enum class Phase { kWaiting, kConnecting, kGreeting, kReady };

  void connect(Time now);
  void greet();
  void onGreeting(const redisReply* reply);
  void onReply(std::uint64_t id, const redisReply* reply);
  void retryAsEval(std::uint64_t id, Command& command);
  [[nodiscard]] bool write(redisCallbackFn* callback, std::uint64_t id, const std::vector<std::string>& words);
  void lost(const std::string& why);
  void want(std::uint32_t mask, bool on);
  void expire(Time now);

  static void connected(const redisAsyncContext* context, int status) noexcept;
  static void disconnected(const redisAsyncContext* context, int status) noexcept;
  static void replied(redisAsyncContext* context, void* reply, void* id) noexcept;
  static void greeted(redisAsyncContext* context, void* reply, void* id) noexcept;

  // Passed in.
  const ClientSettings& settings_;
  const std::vector<Script>& scripts_;
  const int epoll_;

  // Owned. The context frees itself after a failed connect and a disconnect: then it is only forgotten here.
  redisAsyncContext* context_ = nullptr;
  std::unordered_map<std::uint64_t, Command> unanswered_;
  std::deque<std::pair<Time, std::uint64_t>> deadlines_;
  std::uint64_t last_id_ = 0;

  // Derived.
  Phase phase_ = Phase::kWaiting;
  std::atomic<bool> ready_{false};
  Time phase_ends_{};  // next connect, or the limit of connecting and greeting
  Time ping_at_{};
  std::chrono::milliseconds backoff_{0};
  std::size_t greetings_left_ = 0;
  int timeouts_in_a_row_ = 0;
  bool broken_ = false;  // to be closed at the next tick
  int fd_ = -1;          // registered with epoll
  std::uint32_t wanted_ = 0;
  std::uint32_t armed_ = 0;
};

}  // namespace tollgate::redis
