#include <array>

#include "libs/bus/nats_handles.hpp"

// The library frees messages on a thread of its own and wakes that thread for each one while it is idle; the wake-up costs more than the
// message. A thread that has gathered some frees them together, and so pays for one wake-up.
namespace tollgate::bus {
namespace {

constexpr std::size_t kMessagesMax = 64;
constexpr int kDataBytesMax = 16 * 1024;  // larger messages would hold too much memory while they wait

class MessageBin {
 public:
  MessageBin() = default;
  ~MessageBin() { empty(); }
  MessageBin(const MessageBin&) = delete;
  MessageBin& operator=(const MessageBin&) = delete;

  void add(natsMsg* message) {
    messages_[count_++] = message;
    if (count_ == kMessagesMax) {
      empty();
    }
  }

 private:
  void empty() {
    for (std::size_t i = 0; i < count_; ++i) {
      natsMsg_Destroy(messages_[i]);
    }
    count_ = 0;
  }

  // Owned.
  std::array<natsMsg*, kMessagesMax> messages_{};
  std::size_t count_ = 0;
};

}  // namespace

void destroyLater(natsMsg* message) noexcept {
  thread_local MessageBin bin;  // emptied when its thread ends
  if (message != nullptr && natsMsg_GetDataLength(message) <= kDataBytesMax) {
    bin.add(message);
  } else {
    natsMsg_Destroy(message);
  }
}

}  // namespace tollgate::bus
