// A value that one thread replaces whole and many read: each reader keeps the one it got for as long as it needs it.
//
// Any thread. It is not std::atomic<std::shared_ptr>, because load() of libstdc++ 12 ends with a relaxed store: an exchange() that follows
// is not ordered after the reading. ThreadSanitizer reports it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace tollgate::base {

template <class Type>
class Published {
 public:
  // nullptr before the first exchange().
  [[nodiscard]] std::shared_ptr<const Type> load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  // Returns what was in force before, so that the caller decides where it is destroyed.
  [[nodiscard]] std::shared_ptr<const Type> exchange(std::shared_ptr<const Type> value) {
    const std::lock_guard lock(mutex_);
    return std::exchange(value_, std::move(value));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Type> value_;
};

}  // namespace tollgate::base
