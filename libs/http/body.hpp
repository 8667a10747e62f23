// What the head of a request says about its body, checked before a byte of it is read. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "libs/http/server.hpp"

namespace tollgate::http {

struct BodyHeaders {
  std::optional<std::string> content_length;
  std::optional<std::string> transfer_encoding;
};

// The refusal, or nullopt when the body may be read: 400 two interpretations or a length that is no number, 411 chunked, 413 too long.
[[nodiscard]] std::optional<Response> checkBody(const BodyHeaders& headers, std::size_t bytes_max);

}  // namespace tollgate::http
