// Owns one file descriptor and makes its only close() call. One thread at a time.
#pragma once

#include <utility>

#include <unistd.h>

namespace tollgate::base {

class Handle {
 public:
  Handle() = default;
  explicit Handle(int value) : value_(value) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    reset();
    value_ = std::exchange(other.value_, -1);
    return *this;
  }
  ~Handle() { reset(); }

  [[nodiscard]] int value() const { return value_; }
  [[nodiscard]] bool isOpen() const { return value_ >= 0; }
  void reset() {
    if (value_ >= 0) {
      ::close(std::exchange(value_, -1));
    }
  }

 private:
  int value_ = -1;
};

}  // namespace tollgate::base
