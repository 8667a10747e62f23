#include "libs/http/head.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "libs/http/body.hpp"
#include "libs/http/uri.hpp"

namespace tollgate::http {

namespace {

constexpr std::size_t kMethodBytesMax = 32;
constexpr std::size_t kTargetBytesMax = 8192;
constexpr std::size_t kHeadersMax = 100;
constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
constexpr std::string_view kTargetMarks = "-._~!$&'()*+,;=:@/?%";

bool isAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool isToken(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return isAlphanumeric(c) || kTokenMarks.find(c) != std::string_view::npos; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

tl::unexpected<Response> bad(std::string_view detail) {
  return tl::unexpected(problem(400, "Bad Request", detail));
}

// Whatever is visible but not plain in a URI is escaped, so that the library's own URI parser has nothing to refuse.
std::string plainTarget(std::string_view target) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string plain;
  for (const char c : target) {
    if (isAlphanumeric(c) || kTargetMarks.find(c) != std::string_view::npos) {
      plain.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    plain += {'%', kHex[byte >> 4U], kHex[byte & 0x0FU]};
  }
  return plain;
}

std::optional<Response> parseRequestLine(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return problem(400, "Bad Request", "the request line is not `METHOD target HTTP/1.1`");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!isToken(method) || method.size() > kMethodBytesMax) {
    return problem(400, "Bad Request", "the method is not a token");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return problem(505, "HTTP Version Not Supported", "use HTTP/1.1");
  }
  if (target.size() > kTargetBytesMax) {
    return problem(414, "URI Too Long", "the target is too long");
  }
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7F; };
  const std::string_view path = target.substr(0, target.find('?'));
  if (!std::all_of(target.begin(), target.end(), is_visible) || !splitPath(path) || !percentDecode(target, false)) {
    return problem(400, "Bad Request", "the target must begin with / and have whole percent escapes");
  }
  head.method = method;
  head.target = plainTarget(target);
  head.is_kept_open = version == "HTTP/1.1";
  return std::nullopt;
}

std::optional<std::pair<std::string, std::string>> parseField(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) {
    return std::nullopt;
  }
  std::string value(line.substr(colon + 1));
  std::replace(value.begin(), value.end(), '\t', ' ');
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; })) {
    return std::nullopt;
  }
  value.erase(0, std::min(value.find_first_not_of(' '), value.size()));
  value.erase(value.find_last_not_of(' ') + 1);
  return std::pair(lower(line.substr(0, colon)), std::move(value));
}

bool isOfOneHop(std::string_view name) {
  constexpr std::string_view kNames[] = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) || name.starts_with("tollgate-gate-");
}

// Takes one header; false when it may not come twice.
bool take(RequestHead& head, BodyHeaders& body, int& hosts, std::pair<std::string, std::string> field) {
  auto& [name, value] = field;
  if (name == "content-length" || name == "transfer-encoding") {
    auto& place = name == "content-length" ? body.content_length : body.transfer_encoding;
    return !std::exchange(place, std::move(value)).has_value();
  }
  if (name == "connection") {
    const std::string wish = lower(value);
    head.is_kept_open = wish.find("close") == std::string::npos && (head.is_kept_open || wish.find("keep-alive") != std::string::npos);
  }
  if (name == "expect") {
    head.is_continue_awaited = lower(value) == "100-continue";
  }
  hosts += name == "host" ? 1 : 0;
  if (!isOfOneHop(name)) {
    head.headers.push_back(std::move(field));
  }
  return hosts <= 1;
}

std::string_view phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

tl::expected<RequestHead, Response> parseHead(std::string_view text, std::size_t body_bytes_max) {
  RequestHead head;
  BodyHeaders body;
  int hosts = 0;
  bool is_first = true;
  for (auto end = text.find("\r\n"); end != std::string_view::npos && end != 0; end = text.find("\r\n")) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (std::exchange(is_first, false)) {
      if (auto refusal = parseRequestLine(line, head)) {
        return tl::unexpected(std::move(*refusal));
      }
      continue;
    }
    auto field = parseField(line);
    if (!field) {
      return bad("a header line is not `name: value` in plain ASCII");
    }
    if (head.headers.size() >= kHeadersMax) {
      return tl::unexpected(problem(431, "Request Header Fields Too Large", "at most " + std::to_string(kHeadersMax) + " headers"));
    }
    if (!take(head, body, hosts, std::move(*field))) {
      return bad("Host, Content-Length and Transfer-Encoding may come once");
    }
  }
  if (auto refusal = checkBody(body, body_bytes_max)) {
    return tl::unexpected(std::move(*refusal));
  }
  if (body.content_length) {
    const std::string& digits = *body.content_length;
    std::from_chars(digits.data(), digits.data() + digits.size(), head.body_bytes);
  }
  return head;
}

std::string writeHead(const RequestHead& head, const std::vector<std::pair<std::string, std::string>>& extra) {
  std::string text = head.method + " " + head.target + " HTTP/1.1\r\n";
  for (const auto* headers : {&head.headers, &extra}) {
    for (const auto& [name, value] : *headers) {
      text += name + ": " + value + "\r\n";
    }
  }
  return text + "content-length: " + std::to_string(head.body_bytes) + "\r\nconnection: close\r\n\r\n";
}

std::string writeLastResponse(const Response& response, std::string_view method) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(phrase(response.status)) +
                     "\r\nContent-Type: " + response.content_type + "\r\nContent-Length: " + std::to_string(response.body.size()) +
                     "\r\nConnection: close\r\n";
  for (const auto& [name, value] : response.headers) {
    text += name + ": " + value + "\r\n";
  }
  return text + "\r\n" + (method == "HEAD" ? std::string() : response.body);
}

}  // namespace tollgate::http
