// How SIP is carried. Pure values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::base {

// Same numbers as tollgate.common.v1.Transport.
enum class Transport : std::uint8_t { kUdp = 1, kTcp = 2, kTls = 3 };
inline constexpr Transport kLastTransport = Transport::kTls;

// From the word of the configuration: udp, tcp, tls.
[[nodiscard]] constexpr std::optional<Transport> transportFromWord(std::string_view word) noexcept {
  if (word == "udp") {
    return Transport::kUdp;
  }
  if (word == "tcp") {
    return Transport::kTcp;
  }
  return word == "tls" ? std::optional(Transport::kTls) : std::nullopt;
}

}  // namespace tollgate::base
