// The calls of one loop thread in a slot map, which owns them. Callbacks, timers and decisions carry a CallRef. One that outlives its call
// finds nothing, because the slot then has another generation (STYLE 20). It is packed into a sofia::Key together with a role: the side or
// leg of the call, or the kind of timer. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "libs/sofia/key.hpp"

namespace tollgate::ingress {

struct CallRef {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0 = no call
  friend bool operator==(const CallRef&, const CallRef&) = default;
};

// 28 bits index, 28 bits generation, 8 bits role.
struct PackedKey {
  static constexpr unsigned kBits = 28;
  static constexpr std::uint32_t kMask = (1U << kBits) - 1;
  [[nodiscard]] static constexpr sofia::Key pack(CallRef call, std::uint8_t role) {
    return (static_cast<std::uint64_t>(role) << (2 * kBits)) | (static_cast<std::uint64_t>(call.generation) << kBits) | call.index;
  }
  [[nodiscard]] static constexpr CallRef call(sofia::Key key) {
    return {static_cast<std::uint32_t>(key & kMask), static_cast<std::uint32_t>((key >> kBits) & kMask)};
  }
  [[nodiscard]] static constexpr std::uint8_t role(sofia::Key key) { return static_cast<std::uint8_t>(key >> (2 * kBits)); }
};

template <class Call>
class CallTable {
 public:
  struct Added {
    CallRef ref;
    Call& call;
  };

  template <class... Arguments>
  Added add(Arguments&&... arguments) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const auto index = free_.back();
    free_.pop_back();
    auto& slot = slots_[index];
    slot.call = std::make_unique<Call>(std::forward<Arguments>(arguments)...);
    ++size_;
    return {{index, slot.generation}, *slot.call};
  }

  [[nodiscard]] Call* find(CallRef ref) const {
    if (ref.index >= slots_.size() || slots_[ref.index].generation != ref.generation) {
      return nullptr;
    }
    return slots_[ref.index].call.get();
  }

  void remove(CallRef ref) {
    if (find(ref) == nullptr) {
      return;
    }
    auto& slot = slots_[ref.index];
    slot.call.reset();
    slot.generation = slot.generation == PackedKey::kMask ? 1 : slot.generation + 1;
    free_.push_back(ref.index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  // The number of slots used so far. With at() it allows to walk over the calls in pieces while others begin and end.
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  [[nodiscard]] Call* at(std::size_t index) const { return index < slots_.size() ? slots_[index].call.get() : nullptr; }
  [[nodiscard]] CallRef refAt(std::size_t index) const { return {static_cast<std::uint32_t>(index), slots_[index].generation}; }
  void clear() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      remove(refAt(i));
    }
  }

 private:
  struct Slot {
    std::unique_ptr<Call> call;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace tollgate::ingress
