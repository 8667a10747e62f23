// One wildcard inbox and the requests that wait for a reply there, by number. A request completes once: with the reply, with kUnavailable
// when nobody listens or the connection is lost, with kTimeout (checked about every 10 ms) otherwise. Any thread; completions run on a bus
// thread or the inbox's own, and must not block. Private to libs/bus.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"

namespace tollgate::bus {

class ReplyInbox : public std::enable_shared_from_this<ReplyInbox> {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Done = std::function<void(base::Result<std::string_view> data)>;

  [[nodiscard]] static std::shared_ptr<ReplyInbox> make(Connection& connection);
  ~ReplyInbox();
  ReplyInbox(const ReplyInbox&) = delete;
  ReplyInbox& operator=(const ReplyInbox&) = delete;

  [[nodiscard]] std::uint64_t expect(Time deadline, Done done);
  [[nodiscard]] std::string subjectFor(std::uint64_t id) const;
  // Completes one that could not be sent; nothing when it is complete already.
  void fail(std::uint64_t id, const base::Error& error);
  void failAll(const base::Error& error);
  // Completes what waits with kUnavailable, takes no reply any more. The connection is not used afterwards.
  void close();

 private:
  ReplyInbox() = default;
  struct Expiry {
    Time deadline;
    std::uint64_t id;
    friend bool operator>(const Expiry& a, const Expiry& b) { return a.deadline > b.deadline; }
  };

  void onDelivery(const Delivery& delivery);
  [[nodiscard]] Done take(std::uint64_t id);
  void expireLoop();
  [[nodiscard]] std::vector<Done> takeExpired(Time now);

  // Owned.
  std::string prefix_;  // with the last dot
  std::optional<Subscription> subscription_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Done> waiting_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;
  Time wake_at_ = Time::max();
  std::uint64_t last_id_ = 0;
  base::Worker expirer_;  // last: its thread uses the rest
};

}  // namespace tollgate::bus
