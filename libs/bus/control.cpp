#include "libs/bus/control.hpp"

#include <condition_variable>
#include <mutex>

#include "libs/base/random.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

constexpr std::size_t kInboxRandomBytes = 12;

}  // namespace

std::vector<std::string> gatherReplies(Connection& connection, std::string_view subject, std::string_view data, std::size_t enough,
                                       std::chrono::milliseconds time) {
  std::vector<std::string> replies;
  const auto take = [&](std::string_view reply) {
    replies.emplace_back(reply);
    return enough > 0 && replies.size() >= enough;
  };
  takeReplies(connection, subject, data, take, time);
  return replies;
}

void takeReplies(Connection& connection, std::string_view subject, std::string_view data, const std::function<bool(std::string_view)>& take,
                 std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable wake;
  bool is_over = false;
  base::SystemRandom random;
  const std::string inbox = "_INBOX." + base::randomHex(random, kInboxRandomBytes);
  const auto deadline = std::chrono::steady_clock::now() + time;
  const auto subscription = connection.subscribe(inbox, "", [&](const Delivery& delivery) {
    const std::lock_guard lock(mutex);
    is_over = is_over || delivery.no_responders || take(delivery.data);
    if (is_over) {
      wake.notify_all();
    }
  });
  if (!subscription || !connection.isConnected() || !connection.publishRequest(subject, inbox, data)) {
    return;
  }
  std::unique_lock lock(mutex);
  wake.wait_until(lock, deadline, [&] { return is_over; });
  is_over = true;  // the subscription lives until the return: what still comes is left out
}

void logUnreadable(std::string_view subject) {
  telemetry::error("control message is unreadable", {{"subject", subject}});
}

}  // namespace tollgate::bus
