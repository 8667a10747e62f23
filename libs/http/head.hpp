// The head of a request from an unknown source: parsed strictly (RFC 9112), then written anew for the HTTP library, so that the library
// never sees two interpretations, control bytes, chunks or a target it cannot decode. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "libs/http/server.hpp"

namespace tollgate::http {

struct RequestHead {
  std::string method;
  std::string target;                                        // begins with '/', escapes are whole
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; without those of one hop and of the body's length
  std::size_t body_bytes = 0;
  bool is_kept_open = true;          // what the client wants after the answer
  bool is_continue_awaited = false;  // Expect: 100-continue
};

// `text` ends with the empty line. The unexpected value is the refusal to send.
[[nodiscard]] tl::expected<RequestHead, Response> parseHead(std::string_view text, std::size_t body_bytes_max);

// The head as it is passed on, with `extra` headers of our own.
[[nodiscard]] std::string writeHead(const RequestHead& head, const std::vector<std::pair<std::string, std::string>>& extra);

// A whole answer that ends the connection; without a body when `method` is HEAD.
[[nodiscard]] std::string writeLastResponse(const Response& response, std::string_view method);

}  // namespace tollgate::http
