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
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::string> replies;
  bool nobody = false;
  base::SystemRandom random;
  const std::string inbox = "_INBOX." + base::randomHex(random, kInboxRandomBytes);
  const auto deadline = std::chrono::steady_clock::now() + time;
  const auto subscription = connection.subscribe(inbox, "", [&](const Delivery& delivery) {
    const std::lock_guard lock(mutex);
    if (delivery.no_responders) {
      nobody = true;
    } else {
      replies.emplace_back(delivery.data);
    }
    wake.notify_all();
  });
  if (!subscription || !connection.isConnected() || !connection.publishRequest(subject, inbox, data)) {
    return {};
  }
  std::unique_lock lock(mutex);
  // The subscription lives until the return and may still add replies; they are as good as the others.
  wake.wait_until(lock, deadline, [&] { return nobody || (enough > 0 && replies.size() >= enough); });
  return replies;
}

void logUnreadable(std::string_view subject) {
  telemetry::error("control message is unreadable", {{"subject", subject}});
}

}  // namespace tollgate::bus
