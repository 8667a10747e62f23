// The audio codecs Tollgate knows, and sets of them. Pure values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace tollgate::base {

// Same numbers as tollgate.common.v1.Codec.
enum class Codec : std::uint8_t { kPcmu = 1, kPcma = 2, kG729 = 3 };
inline constexpr Codec kLastCodec = Codec::kG729;
inline constexpr std::array kCodecs = {Codec::kPcmu, Codec::kPcma, Codec::kG729};

// The encoding name of RFC 3551, as SDP and the configuration spell it.
[[nodiscard]] constexpr std::string_view codecName(Codec codec) noexcept {
  switch (codec) {
    case Codec::kPcmu:
      return "PCMU";
    case Codec::kPcma:
      return "PCMA";
    case Codec::kG729:
      break;
  }
  return "G729";
}

class CodecSet {
 public:
  constexpr CodecSet() = default;
  constexpr CodecSet(std::initializer_list<Codec> codecs) {
    for (const Codec codec : codecs) {
      add(codec);
    }
  }
  [[nodiscard]] static constexpr CodecSet all() { return {Codec::kPcmu, Codec::kPcma, Codec::kG729}; }

  constexpr void add(Codec codec) { bits_ = static_cast<std::uint8_t>(bits_ | bit(codec)); }
  [[nodiscard]] constexpr bool has(Codec codec) const { return (bits_ & bit(codec)) != 0; }
  [[nodiscard]] constexpr bool isEmpty() const { return bits_ == 0; }
  // The codecs of both.
  friend constexpr CodecSet operator&(CodecSet a, CodecSet b) {
    a.bits_ = static_cast<std::uint8_t>(a.bits_ & b.bits_);
    return a;
  }
  friend constexpr bool operator==(CodecSet, CodecSet) = default;

 private:
  static constexpr std::uint8_t bit(Codec codec) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(codec)); }
  std::uint8_t bits_ = 0;
};

}  // namespace tollgate::base
