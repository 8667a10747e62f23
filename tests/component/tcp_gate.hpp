// A TCP gate on loopback between a service and a store. Bytes pass in both directions, until cutAfter() makes it lose the answer to one
// request: what contains the text still reaches the store, then the connection is closed towards the service.
// Threads: the test's; owns one thread that accepts and one per connection. A socket that fails ends its connection.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tollgate::component {

class TcpGate {
 public:
  explicit TcpGate(std::uint16_t to) : to_(to), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no TCP socket");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~TcpGate() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& thread : threads_) {
      thread.join();
    }
    ::close(listener_);
  }
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // The next request that contains `text` is the last one of its connection; its answer is lost. Works once.
  void cutAfter(std::string text) {
    const std::lock_guard lock(mutex_);
    cut_after_ = std::move(text);
  }
  [[nodiscard]] int cuts() const { return cuts_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  void accept() {
    while (!stopping_) {
      pollfd watch{listener_, POLLIN, 0};
      if (::poll(&watch, 1, 50) <= 0) {
        continue;
      }
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(to_);
      if (client < 0 || server < 0 || ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(client);
        ::close(server);
        continue;
      }
      threads_.emplace_back([this, client, server] {
        relay(client, server);
        ::close(client);
        ::close(server);
      });
    }
  }

  // True once for the text of cutAfter().
  bool isCut(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (cut_after_.empty() || bytes.find(cut_after_) == std::string_view::npos) {
      return false;
    }
    cut_after_.clear();
    return true;
  }

  // False: the connection is over.
  bool move(int from, int to, bool is_request) {
    std::array<char, 65536> buffer{};
    const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
    if (size <= 0) {
      return false;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
    const bool cut = is_request && isCut(bytes);
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t some = ::send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (some <= 0) {
        return false;
      }
      sent += static_cast<std::size_t>(some);
    }
    if (cut) {
      char answer = 0;
      (void)::recv(to, &answer, 1, MSG_PEEK);  // the store has done it
      ++cuts_;
    }
    return !cut;
  }

  void relay(int client, int server) {
    while (!stopping_) {
      std::array<pollfd, 2> watch{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
      if (::poll(watch.data(), watch.size(), 50) < 0) {
        return;
      }
      if ((watch[0].revents != 0 && !move(client, server, true)) || (watch[1].revents != 0 && !move(server, client, false))) {
        return;
      }
    }
  }

  // Passed in.
  const std::uint16_t to_;
  // Owned.
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
  std::list<std::thread> threads_;  // the acceptor's, until it has ended
  std::mutex mutex_;
  std::string cut_after_;
  std::atomic<int> cuts_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace tollgate::component
