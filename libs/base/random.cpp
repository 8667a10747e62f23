#include "libs/base/random.hpp"

#include <sys/random.h>

#include "libs/base/assert.hpp"
#include "libs/base/text.hpp"

namespace tollgate::base {

std::uint64_t SystemRandom::next() {
  if (used_ == kBuffered) {
    // getrandom of up to 256 bytes is never short; larger reads may be interrupted.
    for (std::size_t i = 0; i < kBuffered; i += 32) {
      TG_ASSERT(::getrandom(buffer_ + i, 32 * sizeof(std::uint64_t), 0) == 32 * sizeof(std::uint64_t));
    }
    used_ = 0;
  }
  return buffer_[used_++];
}

std::uint64_t SeededRandom::next() {
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

std::string randomHex(Random& random, std::size_t bytes) {
  std::string drawn;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    bits = i % 8 == 0 ? random.next() : bits >> 8U;
    drawn.push_back(static_cast<char>(bits & 0xFFU));
  }
  return hex(drawn);
}

}  // namespace tollgate::base
