// A small blocking HTTP/1.1 client for tests and tools: one connection a request, closed after it. Plain HTTP only. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::http {

struct ClientRequest {
  std::string method = "GET";
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 0;
  std::string target = "/";                    // path and query, encoded
  std::map<std::string, std::string> headers;  // Host, Connection and Content-Length are added
  std::string body;
  std::chrono::milliseconds timeout{10000};  // for all of it
};

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks put together
};

// kUnavailable: no connection, or closed before the answer; kTimeout; kInvalid: the answer is not HTTP.
[[nodiscard]] base::Result<ClientResponse> request(const ClientRequest& request);
[[nodiscard]] base::Result<ClientResponse> get(std::uint16_t port, std::string_view target);
// Sends `bytes` as they are and reads one answer: for requests that request() would never make.
[[nodiscard]] base::Result<ClientResponse> sendRaw(std::uint16_t port, std::string_view bytes,
                                                   std::chrono::milliseconds timeout = std::chrono::milliseconds{10000});

}  // namespace tollgate::http
