// A plain HTTP/1.1 client for tests: one connection, one request, one answer. Blocks. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::testkit {

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// To 127.0.0.1. Errors: kUnavailable (refused, closed), kTimeout, kInvalid (not HTTP).
[[nodiscard]] base::Result<HttpReply> httpRequest(std::uint16_t port, std::string_view method, std::string_view path,
                                                  const std::map<std::string, std::string>& headers = {}, std::string_view body = "",
                                                  std::chrono::milliseconds limit = std::chrono::seconds(5));

[[nodiscard]] base::Result<HttpReply> httpGet(std::uint16_t port, std::string_view path,
                                              std::chrono::milliseconds limit = std::chrono::seconds(5));

}  // namespace tollgate::testkit
