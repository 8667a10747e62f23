#include "libs/testkit/ports.hpp"

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libs/base/random.hpp"

namespace tollgate::testkit {
namespace {

constexpr std::uint32_t kLowest = 12'000;
constexpr std::uint32_t kHighest = 31'999;  // below net.ipv4.ip_local_port_range
constexpr int kTries = 1000;

bool isFree(std::uint16_t port, int type) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return false;
  }
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const bool bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && (type != SOCK_STREAM || ::listen(fd, 1) == 0);
  ::close(fd);
  return bound;
}

// A name in the abstract socket namespace belongs to one process at a time and vanishes with it: a lock without a file.
int guardOf(std::uint16_t port) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "tollgate-test-port-%u", port);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1U + static_cast<unsigned>(length));
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) {
    return fd;
  }
  if (fd >= 0) {
    ::close(fd);
  }
  return -1;
}

}  // namespace

PortLease::PortLease() {
  base::SystemRandom random;
  for (int i = 0; i < kTries; ++i) {
    const auto port = static_cast<std::uint16_t>(kLowest + random.next() % (kHighest - kLowest + 1));
    guard_ = guardOf(port);
    if (guard_ < 0) {
      continue;
    }
    if (isFree(port, SOCK_STREAM) && isFree(port, SOCK_DGRAM)) {
      port_ = port;
      return;
    }
    ::close(guard_);
    guard_ = -1;
  }
  throw std::runtime_error("no free port");
}

PortLease::~PortLease() {
  if (guard_ >= 0) {
    ::close(guard_);
  }
}

PortLease::PortLease(PortLease&& other) noexcept : port_(std::exchange(other.port_, 0)), guard_(std::exchange(other.guard_, -1)) {}

PortLease& PortLease::operator=(PortLease&& other) noexcept {
  std::swap(port_, other.port_);
  std::swap(guard_, other.guard_);
  return *this;
}

}  // namespace tollgate::testkit
