// Free loopback ports for servers under test. Thread: any.
#pragma once

#include <cstdint>

namespace tollgate::testkit {

// Reserves a port number: no other PortLease on this machine gets the same one while this object lives. The port was free for TCP and UDP
// when it was taken, and lies below the range that the kernel uses for outgoing connections. The lease itself does not listen on it.
class PortLease {
 public:
  PortLease();  // throws std::runtime_error when none can be had
  ~PortLease();
  PortLease(PortLease&& other) noexcept;
  PortLease& operator=(PortLease&& other) noexcept;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  int guard_ = -1;
};

}  // namespace tollgate::testkit
