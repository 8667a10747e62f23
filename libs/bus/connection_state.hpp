// The implementation of Connection and Subscription. Any thread; the comment of each member names its lock. Private to libs/bus.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/nats_handles.hpp"

namespace tollgate::bus {

// What the NATS client's C callbacks carry is a number, never a pointer (STYLE 20): a late callback finds nothing here and does nothing.
// The table is one for the process because the library's callback threads are (STYLE 24): a callback brings nothing but its number, and no
// callback of the library is certainly its last, so that nothing a callback points to could ever be freed (libs/bus/TRAPS.md 2.16).
// Any thread.
template <class Target>
class CallbackRegistry {
 public:
  [[nodiscard]] static CallbackRegistry& instance() {
    // Never destroyed: library threads may still call back while the process exits.
    static auto& registry = *std::make_unique<CallbackRegistry>().release();
    return registry;
  }

  [[nodiscard]] void* add(const std::shared_ptr<Target>& target) {
    const std::unique_lock lock(mutex_);
    targets_.emplace(++last_, target);
    // The library passes a void* through; here it is the number itself.
    return reinterpret_cast<void*>(last_);  // NOLINT(performance-no-int-to-ptr)
  }

  void remove(void* closure) {
    const std::unique_lock lock(mutex_);
    targets_.erase(reinterpret_cast<std::uintptr_t>(closure));
  }

  [[nodiscard]] std::shared_ptr<Target> find(void* closure) const {
    const std::shared_lock lock(mutex_);
    const auto found = targets_.find(reinterpret_cast<std::uintptr_t>(closure));
    return found == targets_.end() ? nullptr : found->second.lock();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uintptr_t, std::weak_ptr<Target>> targets_;
  std::uintptr_t last_ = 0;
};

struct Subscription::State {
  // Passed in.
  std::weak_ptr<Connection::State> connection;
  std::string subject;
  std::string queue;
  std::function<void(const Delivery&)> handler;

  // Owned.
  NatsSubscription native;  // guarded by the connection's subscriptions_mutex; empty while the connection is being rebuilt
  std::mutex gate;          // held while the handler runs
  bool closed = false;      // guarded by gate
  std::atomic<std::thread::id> running_in;
  void* closure = nullptr;  // number of this object in the callback registry

  void deliver(natsMsg* message);
  void close();
};

struct Connection::State : std::enable_shared_from_this<Connection::State> {
  // Passed in.
  ConnectionSettings settings;
  ConnectionKind kind = ConnectionKind::kRequests;

  std::optional<ConnectionMetrics> metrics;  // always set after open()

  // Owned.
  std::unique_ptr<telemetry::Metrics> own_metrics;  // when none were passed in
  mutable std::shared_mutex handle_mutex;           // shared by users of the handle, exclusive only for the swap of a rebuild
  NatsConnection handle;                            // empty: refused by the server so far
  std::mutex subscriptions_mutex;                   // taken before handle_mutex
  std::vector<std::weak_ptr<Subscription::State>> subscriptions;
  std::mutex change_mutex;                                 // held while handlers run: keeps the order of the changes they hear of
  std::vector<std::function<void(bool)>> change_handlers;  // guarded by change_mutex
  bool is_shut = false;                                    // guarded by change_mutex; callbacks do nothing any more
  void* closure = nullptr;                                 // number of this object in the callback registry

  // Derived.
  std::atomic<bool> connected{false};
  std::atomic<std::uint64_t> record_epoch{0};  // rises when the records delivered so far may not be acknowledged any more
  std::atomic<bool> rebuild_wanted{false};     // set, then the maintainer is woken
  base::Worker maintainer;                     // last: its thread uses the rest

  [[nodiscard]] base::Result<NatsOptions> makeOptions() const;
  [[nodiscard]] base::Result<void> connect();  // first connect and rebuild
  void refreshConnected();
  void onError(natsStatus status);
  void onClosed(natsConnection* closed);
  void maintain();
  void shutDown();
  // Subscribes at the server; subscriptions_mutex is held.
  [[nodiscard]] natsStatus attach(Subscription::State& subscription);
  // Runs `use` with the handle; kUnavailable when there is none.
  template <class Use>
  [[nodiscard]] base::Result<void> withHandle(const char* what, Use use) const {
    const std::shared_lock lock(handle_mutex);
    if (!handle) {
      return base::fail(base::ErrorCode::kUnavailable, std::string(what) + ": not connected to the bus");
    }
    if (const natsStatus status = use(handle.get()); status != NATS_OK) {
      return tl::unexpected(natsError(status, what));
    }
    return {};
  }
};

}  // namespace tollgate::bus
