// A value that one thread replaces as a whole and many threads read. Each reader keeps the value it got for as long as it needs it.
//
// Any thread. It is not std::atomic<std::shared_ptr>, because in libstdc++ 12 load() ends with a relaxed store: an exchange() that follows
// is not ordered after that read, and ThreadSanitizer reports it.
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
