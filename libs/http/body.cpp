#include "libs/http/body.hpp"

#include <charconv>
#include <cstdint>

namespace tollgate::http {

std::optional<Response> checkBody(const BodyHeaders& headers, std::size_t bytes_max) {
  if (headers.content_length && headers.transfer_encoding) {
    return problem(400, "Bad Request", "a request has either Content-Length or Transfer-Encoding, not both (RFC 9112 section 6.1)");
  }
  if (headers.transfer_encoding) {
    return problem(411, "Length Required", "send the body with a Content-Length");
  }
  if (!headers.content_length) {
    return std::nullopt;
  }
  const std::string& text = *headers.content_length;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    return problem(400, "Bad Request", "Content-Length is not a number");
  }
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || length > bytes_max) {
    return problem(413, "Content Too Large", "the body may have at most " + std::to_string(bytes_max) + " bytes");
  }
  return std::nullopt;
}

}  // namespace tollgate::http
