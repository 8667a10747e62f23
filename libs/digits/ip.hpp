// IP addresses and networks as values. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is an IPv4 address everywhere. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::digits {

// 128 bits, most significant first. IPv4 a.b.c.d is kept as ::ffff:a.b.c.d.
struct AddressBits {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend constexpr auto operator<=>(const AddressBits&, const AddressBits&) = default;
};

class IpAddress {
 public:
  IpAddress() = default;  // ::
  // An IP literal without brackets, port or zone. Errors: kInvalid.
  [[nodiscard]] static base::Result<IpAddress> parse(std::string_view text);
  // In host byte order: 10.0.0.1 is 0x0a000001.
  [[nodiscard]] static IpAddress fromV4(std::uint32_t host_order);
  // In network byte order, as in sockaddr_in6.
  [[nodiscard]] static IpAddress fromV6(const std::array<std::uint8_t, 16>& bytes);

  [[nodiscard]] bool isV4() const { return bits_.high == 0 && (bits_.low >> 32U) == 0xffff; }
  [[nodiscard]] const AddressBits& bits() const { return bits_; }
  // 10.0.0.1; 2001:db8::1 (RFC 5952)
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  explicit IpAddress(AddressBits bits) : bits_(bits) {}
  friend class Network;
  AddressBits bits_;
};

// An address and a length: a host is /32 (IPv4) or /128 (IPv6).
class Network {
 public:
  Network() = default;
  // "10.0.0.0/8", "10.0.0.1", "2001:db8::/32". Rules of REQUIREMENTS 2.3: host bits beyond the mask are refused, and so is /0.
  // Errors: kInvalid; the message names the broken rule for the person who typed the network.
  [[nodiscard]] static base::Result<Network> parse(std::string_view text);
  [[nodiscard]] static Network host(const IpAddress& address);
  // The network of that length that contains the address; its host bits are cleared. A length over the family's longest counts as that.
  [[nodiscard]] static Network around(const IpAddress& address, int length);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] int length() const { return length_; }  // 0-32 or 0-128
  [[nodiscard]] bool isV4() const { return address_.isV4(); }
  [[nodiscard]] bool isHost() const { return length_ == (isV4() ? 32 : 128); }
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool contains(const Network& other) const;
  [[nodiscard]] bool overlaps(const Network& other) const { return contains(other) || other.contains(*this); }
  // As intervals of the 128-bit space, without regard to the family: nested.hpp needs it to sort both families into one array.
  [[nodiscard]] bool spans(const Network& other) const;
  // In normal form and always with the length, as stored in trunk_sources.network: 10.0.0.1/32.
  [[nodiscard]] std::string text() const;
  // By address, then shorter length first: a network comes before all it contains.
  friend auto operator<=>(const Network&, const Network&) = default;

 private:
  Network(const IpAddress& address, int length) : address_(address), length_(length) {}
  [[nodiscard]] int bitLength() const { return isV4() ? length_ + 96 : length_; }
  IpAddress address_;
  int length_ = 128;
};

}  // namespace tollgate::digits
