// A UDP socket of a test on loopback: texts out, texts in. For tests that speak SIP by hand. Header only, so that unit tests can use it.
// Blocks; one thread per object. A socket that fails throws std::runtime_error; a message that does not come is a test failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tollgate::testkit {

class UdpPeer {
 public:
  UdpPeer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const int wanted = 4 << 20;  // a test may send thousands of datagrams before it reads the answers
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no UDP socket");
    }
    port_ = ntohs(address.sin_port);
  }
  ~UdpPeer() { ::close(fd_); }
  UdpPeer(const UdpPeer&) = delete;
  UdpPeer& operator=(const UdpPeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void send(std::string_view text, std::uint16_t to) const {
    const sockaddr_in address = loopback(to);
    if (::sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("UDP send failed");
    }
  }

  // The next datagram; nothing when none comes within the limit.
  [[nodiscard]] std::optional<std::string> receive(std::chrono::milliseconds limit = std::chrono::seconds(10)) const {
    pollfd watch{fd_, POLLIN, 0};
    if (::poll(&watch, 1, static_cast<int>(limit.count())) <= 0) {
      return std::nullopt;
    }
    std::string text(70'000, '\0');
    const ssize_t size = ::recv(fd_, text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

  // The next message that begins so (request method or "SIP/2.0 180"); others are passed over. "" and a test failure when none comes.
  [[nodiscard]] std::string expect(std::string_view start, std::chrono::milliseconds limit = std::chrono::seconds(10)) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    std::string seen;
    while (std::chrono::steady_clock::now() < end) {
      const auto text = receive(std::chrono::milliseconds(100));
      if (text && text->starts_with(start)) {
        return *text;
      }
      if (text) {
        seen += " | " + text->substr(0, text->find('\r'));
      }
    }
    ADD_FAILURE() << "no message that starts with " << start << "; seen:" << seen;
    return {};
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  int fd_;
  std::uint16_t port_ = 0;
};

// Value of a header in a SIP message, "" when it is absent.
[[nodiscard]] inline std::string headerOf(const std::string& message, const std::string& name) {
  const std::string start = "\r\n" + name + ": ";
  const auto at = message.find(start);
  if (at == std::string::npos) {
    return {};
  }
  const auto begin = at + start.size();
  return message.substr(begin, message.find("\r\n", begin) - begin);
}

}  // namespace tollgate::testkit
