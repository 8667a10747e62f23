// Free loopback ports for servers under test. Any thread.
#pragma once

#include <cstdint>

namespace tollgate::testkit {

// Holds a port number for this test: no other holder on this machine gets the same one while it lives. The port was free for TCP and UDP
// on 127.0.0.1 when taken, and lies below the range the kernel uses for outgoing connections. Nothing listens on it: the server does.
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
