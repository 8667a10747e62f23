#include <condition_variable>
#include <mutex>

#include "libs/base/random.hpp"
#include "libs/bus/connection.hpp"

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
  // Until the subscription is gone it may still add replies, which is welcome.
  wake.wait_until(lock, deadline, [&] { return nobody || (enough > 0 && replies.size() >= enough); });
  return replies;
}

}  // namespace tollgate::bus
