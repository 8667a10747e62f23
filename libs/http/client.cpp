#include "libs/http/client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "libs/base/handle.hpp"

namespace tollgate::http {

namespace {

using Deadline = std::chrono::steady_clock::time_point;
constexpr std::size_t kAnswerBytesMax = 64U << 20U;

base::Result<void> waitFor(const base::Handle& socket, short events, Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  pollfd entry = {socket.value(), events, 0};
  const int ready = left > 0 ? ::poll(&entry, 1, static_cast<int>(left)) : 0;
  if (ready <= 0) {
    return base::fail(base::ErrorCode::kTimeout, "no HTTP answer in time");
  }
  return {};
}

tl::unexpected<base::Error> failed(std::string_view what) {
  return base::fail(base::ErrorCode::kUnavailable, std::string(what) + ": " + std::generic_category().message(errno));
}

base::Result<void> connectTo(const base::Handle& socket, const std::string& host, std::uint16_t port, Deadline deadline) {
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &name.sin_addr) != 1) {
    return base::fail(base::ErrorCode::kInvalid, "not an IPv4 address: " + host);
  }
  if (::connect(socket.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) {
    return {};
  }
  if (errno != EINPROGRESS) {
    return failed("connect");
  }
  TG_TRY(waitFor(socket, POLLOUT, deadline));
  socklen_t length = sizeof errno;
  if (::getsockopt(socket.value(), SOL_SOCKET, SO_ERROR, &errno, &length) != 0 || errno != 0) {
    return failed("connect");
  }
  return {};
}

// A server that refuses early may close while we still send: then its answer counts, not the failure to send.
base::Result<void> sendAll(const base::Handle& socket, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    TG_TRY(waitFor(socket, POLLOUT, deadline));
    const auto sent = ::send(socket.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
      return {};
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      return failed("send");
    }
    bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
  }
  return {};
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::optional<std::size_t> parseNumber(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

std::optional<ClientResponse> parseHead(std::string_view head) {
  ClientResponse response;
  const auto line_end = head.find("\r\n");
  const auto status = head.rfind("HTTP/1.", 0) == 0 && head.size() > 12 ? parseNumber(head.substr(9, 3), 10) : std::nullopt;
  if (!status) {
    return std::nullopt;
  }
  response.status = static_cast<int>(*status);
  std::string_view rest = line_end == std::string_view::npos ? std::string_view{} : head.substr(line_end + 2);
  while (!rest.empty()) {
    const auto end = std::min(rest.find("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      const auto value_start = std::min(line.find_first_not_of(' ', colon + 1), line.size());
      response.headers[lower(line.substr(0, colon))] = line.substr(value_start);
    }
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return response;
}

// The chunks of `bytes` put together; nullopt while the last one is missing.
std::optional<std::string> joinChunks(std::string_view bytes) {
  std::string body;
  while (true) {
    const auto line_end = bytes.find("\r\n");
    const auto length = line_end == std::string_view::npos ? std::nullopt : parseNumber(bytes.substr(0, line_end), 16);
    if (!length || bytes.size() - line_end - 2 < *length + 2) {
      return std::nullopt;
    }
    if (*length == 0) {
      return body;
    }
    body.append(bytes.substr(line_end + 2, *length));
    bytes.remove_prefix(line_end + 2 + *length + 2);
  }
}

// The response when `bytes` holds all of it.
std::optional<ClientResponse> parseWhole(std::string_view bytes, bool has_no_body, bool is_closed) {
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    return std::nullopt;
  }
  auto response = parseHead(bytes.substr(0, head_end));
  if (!response) {
    return std::nullopt;
  }
  const std::string_view body = bytes.substr(head_end + 4);
  if (has_no_body || response->status == 204 || response->status == 304) {
    return response;
  }
  if (response->headers["transfer-encoding"] == "chunked") {
    auto whole = joinChunks(body);
    if (!whole) {
      return std::nullopt;
    }
    response->body = std::move(*whole);
    return response;
  }
  const auto length = parseNumber(response->headers["content-length"], 10);
  if (length ? body.size() < *length : !is_closed) {
    return std::nullopt;
  }
  response->body = body.substr(0, length.value_or(body.size()));
  return response;
}

base::Result<ClientResponse> receive(const base::Handle& socket, bool has_no_body, Deadline deadline) {
  std::string bytes;
  char buffer[16384];
  while (bytes.size() < kAnswerBytesMax) {
    TG_TRY(waitFor(socket, POLLIN, deadline));
    const auto got = ::recv(socket.value(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      continue;
    }
    if (got > 0) {
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
    if (auto response = parseWhole(bytes, has_no_body, got <= 0)) {
      return std::move(*response);
    }
    if (got <= 0) {
      return base::fail(bytes.empty() ? base::ErrorCode::kUnavailable : base::ErrorCode::kInvalid,
                        "the server closed the connection before the answer was whole");
    }
  }
  return base::fail(base::ErrorCode::kOverLimit, "the HTTP answer is too large");
}

base::Result<ClientResponse> exchange(const std::string& host, std::uint16_t port, std::string_view bytes, bool has_no_body,
                                      std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  const base::Handle socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.isOpen()) {
    return failed("socket");
  }
  TG_TRY(connectTo(socket, host, port, deadline));
  TG_TRY(sendAll(socket, bytes, deadline));
  return receive(socket, has_no_body, deadline);
}

}  // namespace

base::Result<ClientResponse> request(const ClientRequest& request) {
  std::string bytes = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.host + "\r\nConnection: close\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    bytes += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : request.headers) {
    bytes += name + ": " + value + "\r\n";
  }
  bytes += "\r\n" + request.body;
  return exchange(request.host, request.port, bytes, request.method == "HEAD", request.timeout);
}

base::Result<ClientResponse> get(std::uint16_t port, std::string_view target) {
  ClientRequest wanted;
  wanted.port = port;
  wanted.target = target;
  return request(wanted);
}

base::Result<ClientResponse> sendRaw(std::uint16_t port, std::string_view bytes, std::chrono::milliseconds timeout) {
  return exchange("127.0.0.1", port, bytes, false, timeout);
}

}  // namespace tollgate::http
