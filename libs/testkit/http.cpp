#include "libs/testkit/http.hpp"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tollgate::testkit {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] bool waitFor(short events, Deadline deadline) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd entry{fd_, events, 0};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) > 0;
  }

 private:
  int fd_;
};

base::Result<void> connectTo(const Socket& socket, std::uint16_t port, Deadline deadline) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return {};
  }
  if (errno != EINPROGRESS) {
    return base::fail(base::ErrorCode::kUnavailable, "connection refused");
  }
  if (!socket.waitFor(POLLOUT, deadline)) {
    return base::fail(base::ErrorCode::kTimeout, "no connection");
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return base::fail(base::ErrorCode::kUnavailable, "connection refused");
  }
  return {};
}

base::Result<void> sendAll(const Socket& socket, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return {};  // the server may answer before it has read everything (413)
    } else if (!socket.waitFor(POLLOUT, deadline)) {
      return base::fail(base::ErrorCode::kTimeout, "the server does not read");
    }
  }
  return {};
}

constexpr std::string_view kHeadEnd = "\r\n\r\n";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

std::optional<HttpReply> parseHead(std::string_view head) {
  HttpReply reply;
  const auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  if (!line.starts_with("HTTP/1.") || line.size() < 12 ||
      std::from_chars(line.data() + 9, line.data() + 12, reply.status).ec != std::errc()) {
    return std::nullopt;
  }
  while (line_end != std::string_view::npos) {
    const auto at = head.find("\r\n");
    if (at == std::string_view::npos) {
      break;
    }
    head.remove_prefix(at + 2);
    const auto field = head.substr(0, head.find("\r\n"));
    const auto colon = field.find(':');
    if (colon != std::string_view::npos) {
      auto value = field.substr(colon + 1);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      reply.headers[lower(field.substr(0, colon))] = std::string(value);
    }
  }
  return reply;
}

// The body when it is complete; nullopt until then.
std::optional<std::string> unchunk(std::string_view raw) {
  std::string body;
  for (;;) {
    const auto line_end = raw.find("\r\n");
    std::size_t size = 0;
    if (line_end == std::string_view::npos || std::from_chars(raw.data(), raw.data() + line_end, size, 16).ec != std::errc()) {
      return std::nullopt;
    }
    raw.remove_prefix(line_end + 2);
    if (size == 0) {
      return body;
    }
    if (raw.size() < size + 2) {
      return std::nullopt;
    }
    body.append(raw.substr(0, size));
    raw.remove_prefix(size + 2);
  }
}

std::optional<HttpReply> completeReply(std::string_view raw, bool closed, bool has_body) {
  const auto end = raw.find(kHeadEnd);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  auto reply = parseHead(raw.substr(0, end));
  if (!reply) {
    return std::nullopt;
  }
  const auto rest = raw.substr(end + kHeadEnd.size());
  if (!has_body || reply->status == 204 || reply->status == 304) {
    return reply;
  }
  if (const auto length = reply->headers.find("content-length"); length != reply->headers.end()) {
    const auto size = static_cast<std::size_t>(std::strtoull(length->second.c_str(), nullptr, 10));
    if (rest.size() < size) {
      return std::nullopt;
    }
    reply->body = rest.substr(0, size);
    return reply;
  }
  if (lower(reply->headers["transfer-encoding"]) == "chunked") {
    auto body = unchunk(rest);
    if (!body) {
      return std::nullopt;
    }
    reply->body = std::move(*body);
    return reply;
  }
  if (!closed) {
    return std::nullopt;
  }
  reply->body = rest;
  return reply;
}

base::Result<HttpReply> receive(const Socket& socket, Deadline deadline, bool has_body) {
  std::string raw;
  char buffer[16384];
  for (;;) {
    const auto got = ::recv(socket.fd(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!socket.waitFor(POLLIN, deadline)) {
        return base::fail(base::ErrorCode::kTimeout, "no answer in time");
      }
      continue;
    }
    if (got > 0) {
      raw.append(buffer, static_cast<std::size_t>(got));
    }
    if (auto reply = completeReply(raw, got <= 0, has_body)) {
      return std::move(*reply);
    }
    if (got <= 0) {
      return base::fail(raw.empty() ? base::ErrorCode::kUnavailable : base::ErrorCode::kInvalid,
                        "connection closed: " + raw.substr(0, 200));
    }
  }
}

}  // namespace

base::Result<HttpReply> httpRequest(std::uint16_t port, std::string_view method, std::string_view path,
                                    const std::map<std::string, std::string>& headers, std::string_view body,
                                    std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string request;
  request.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
  for (const auto& [name, value] : headers) {
    request.append(name).append(": ").append(value).append("\r\n");
  }
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  request.append("\r\n").append(body);
  const Socket socket;
  TG_TRY(connectTo(socket, port, deadline));
  TG_TRY(sendAll(socket, request, deadline));
  return receive(socket, deadline, method != "HEAD");
}

base::Result<HttpReply> httpGet(std::uint16_t port, std::string_view path, std::chrono::milliseconds limit) {
  return httpRequest(port, "GET", path, {}, "", limit);
}

}  // namespace tollgate::testkit
