// What the NATS client's C callbacks carry is a number, never a pointer: a late callback finds nothing here and does nothing.
// Any thread. Private to libs/bus.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace tollgate::bus {

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

}  // namespace tollgate::bus
