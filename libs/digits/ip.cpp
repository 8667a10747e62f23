#include "libs/digits/ip.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace tollgate::digits {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;
constexpr std::size_t kTextMax = INET6_ADDRSTRLEN;

AddressBits maskOf(int bits) {
  const auto ones = [](int count) { return count <= 0 ? 0 : ~std::uint64_t{0} << static_cast<unsigned>(64 - std::min(count, 64)); };
  return {ones(bits), ones(bits - 64)};
}

AddressBits masked(const AddressBits& bits, int length) {
  const AddressBits mask = maskOf(length);
  return {bits.high & mask.high, bits.low & mask.low};
}

base::Result<int> parseLength(std::string_view text) {
  int length = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size() || length < 0 || (text.size() > 1 && text.front() == '0')) {
    return base::fail(base::ErrorCode::kInvalid, "the length after / must be a whole number");
  }
  return length;
}

}  // namespace

base::Result<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[kTextMax] = {};
  if (!text.empty() && text.size() < kTextMax && text.find('\0') == std::string_view::npos) {
    text.copy(terminated, text.size());
    in_addr v4{};
    if (::inet_pton(AF_INET, terminated, &v4) == 1) {
      return fromV4(ntohl(v4.s_addr));
    }
    std::array<std::uint8_t, 16> v6{};
    if (::inet_pton(AF_INET6, terminated, v6.data()) == 1) {
      return fromV6(v6);
    }
  }
  return base::fail(base::ErrorCode::kInvalid, "must be an IPv4 or IPv6 address, or address/length");
}

IpAddress IpAddress::fromV4(std::uint32_t host_order) {
  return IpAddress({0, 0xffff'0000'0000ULL | host_order});
}

IpAddress IpAddress::fromV6(const std::array<std::uint8_t, 16>& bytes) {
  AddressBits bits;
  for (std::size_t at = 0; at < 8; ++at) {
    bits.high = bits.high << 8U | bytes[at];
    bits.low = bits.low << 8U | bytes[at + 8];
  }
  return IpAddress(bits);
}

std::string IpAddress::text() const {
  char out[kTextMax] = {};
  if (isV4()) {
    const in_addr v4{htonl(static_cast<std::uint32_t>(bits_.low))};
    ::inet_ntop(AF_INET, &v4, out, sizeof out);
    return out;
  }
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < 8; ++at) {
    bytes[at] = static_cast<std::uint8_t>(bits_.high >> (56 - 8 * at));
    bytes[at + 8] = static_cast<std::uint8_t>(bits_.low >> (56 - 8 * at));
  }
  ::inet_ntop(AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

base::Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address_text = text.substr(0, slash);
  TG_TRY_ASSIGN(address, IpAddress::parse(address_text));
  if (slash == std::string_view::npos) {
    return host(address);
  }
  TG_TRY_ASSIGN(length, parseLength(text.substr(slash + 1)));
  // Mapped text (::ffff:10.0.0.0/104) has an IPv6 length.
  const bool mapped = address.isV4() && address_text.find(':') != std::string_view::npos;
  const int longest = address.isV4() && !mapped ? kV4Bits : kV6Bits;
  if (length > longest) {
    return base::fail(base::ErrorCode::kInvalid, "the length after / must not be over " + std::to_string(longest));
  }
  length = mapped ? length - (kV6Bits - kV4Bits) : length;
  if (length == 0) {
    return base::fail(base::ErrorCode::kInvalid, "/0 would accept every address and is refused");
  }
  const Network network = around(address, length);
  if (length < 0 || network.address_ != address) {
    return base::fail(base::ErrorCode::kInvalid, length < 0 ? "host bits beyond the mask must be zero"
                                                            : "host bits beyond the mask must be zero: write " + network.text());
  }
  return network;
}

Network Network::host(const IpAddress& address) {
  return {address, address.isV4() ? kV4Bits : kV6Bits};
}

Network Network::around(const IpAddress& address, int length) {
  const int family_bits = address.isV4() ? kV4Bits : kV6Bits;
  const int cut = std::clamp(length, 0, family_bits);
  return {IpAddress(masked(address.bits(), cut + kV6Bits - family_bits)), cut};
}

bool Network::contains(const IpAddress& address) const {
  return address.isV4() == isV4() && masked(address.bits(), bitLength()) == address_.bits();
}

bool Network::contains(const Network& other) const {
  return other.isV4() == isV4() && spans(other);
}

bool Network::spans(const Network& other) const {
  return bitLength() <= other.bitLength() && masked(other.address_.bits(), bitLength()) == address_.bits();
}

std::string Network::text() const {
  return address_.text() + "/" + std::to_string(length_);
}

}  // namespace tollgate::digits
