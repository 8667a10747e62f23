#include "libs/http/uri.hpp"

namespace tollgate::http {

namespace {
int hexValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}
}  // namespace

std::optional<std::string> percentDecode(std::string_view text, bool is_plus_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && is_plus_space) {
      decoded.push_back(' ');
      continue;
    }
    if (text[at] != '%') {
      decoded.push_back(text[at]);
      continue;
    }
    const int high = at + 2 < text.size() ? hexValue(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hexValue(text[at + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) {
      return std::nullopt;
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return decoded;
}

std::optional<std::vector<std::string>> splitPath(std::string_view raw_path) {
  if (raw_path.empty() || raw_path.front() != '/') {
    return std::nullopt;
  }
  std::vector<std::string> segments;
  std::string_view rest = raw_path.substr(1);
  while (true) {
    const auto slash = rest.find('/');
    auto segment = percentDecode(rest.substr(0, slash), false);
    if (!segment) {
      return std::nullopt;
    }
    segments.push_back(std::move(*segment));
    if (slash == std::string_view::npos) {
      return segments;
    }
    rest.remove_prefix(slash + 1);
  }
}

std::optional<std::map<std::string, std::string>> parseQuery(std::string_view raw_query) {
  std::map<std::string, std::string> values;
  while (!raw_query.empty()) {
    const auto end = raw_query.find('&');
    const std::string_view pair = raw_query.substr(0, end);
    raw_query.remove_prefix(end == std::string_view::npos ? raw_query.size() : end + 1);
    if (pair.empty()) {
      continue;
    }
    const auto equals = pair.find('=');
    auto name = percentDecode(pair.substr(0, equals), true);
    auto value = percentDecode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value) {
      return std::nullopt;
    }
    values[std::move(*name)] = std::move(*value);
  }
  return values;
}

}  // namespace tollgate::http
