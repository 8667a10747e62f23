// Random numbers behind an interface, so that tests choose them. Each implementation says which threads may call it.
#pragma once

#include <cstdint>
#include <string>

namespace tollgate::base {

class Random {
 public:
  virtual ~Random() = default;
  // 64 uniform bits.
  [[nodiscard]] virtual std::uint64_t next() = 0;
};

// The kernel's getrandom through a per-object buffer. One thread per object.
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override;

 private:
  static constexpr std::size_t kBuffered = 64;
  std::uint64_t buffer_[kBuffered] = {};
  std::size_t used_ = kBuffered;
};

// Repeatable sequence from a seed (splitmix64), for tests. One thread per object.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

// `bytes` random bytes as lower-case hex.
[[nodiscard]] std::string randomHex(Random& random, std::size_t bytes);

}  // namespace tollgate::base
