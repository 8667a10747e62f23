#include "libs/http/uri.hpp"

#include <charconv>

namespace tollgate::http {

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
    unsigned value = 0;
    const std::string_view digits = text.substr(at + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2 || value == 0) {
      return std::nullopt;
    }
    decoded.push_back(static_cast<char>(value));
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
