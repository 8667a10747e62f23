#include "libs/telemetry/json_line.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace tollgate::telemetry {

namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the UTF-8 sequence at the front of `text`, 0 when it is not one (overlong forms, surrogates, above U+10FFFF).
std::size_t sequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const auto is_tail = [&](std::size_t index, unsigned low = 0x80, unsigned high = 0xBF) {
    return index < text.size() && byte(index) >= low && byte(index) <= high;
  };
  const unsigned lead = byte(0);
  if (lead >= 0xC2 && lead <= 0xDF) {
    return is_tail(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return is_tail(1, low, high) && is_tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return is_tail(1, low, high) && is_tail(2) && is_tail(3) ? 4 : 0;
  }
  return 0;
}

bool isPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

void appendControl(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out.push_back(kHex[byte >> 4U]);
  out.push_back(kHex[byte & 0x0FU]);
}

}  // namespace

void appendEscaped(std::string& out, std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && isPlain(text[end])) {
      ++end;
    }
    out.append(text.substr(at, end - at));
    if (end == text.size()) {
      return;
    }
    at = end;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      appendControl(out, text[at]);
      ++at;
      continue;
    }
    const std::size_t length = sequenceLength(text.substr(at));
    out.append(length == 0 ? kReplacement : text.substr(at, length));
    at += length == 0 ? 1 : length;
  }
}

void JsonLine::name(std::string_view key) {
  out_ += is_first_ ? "\"" : ",\"";
  is_first_ = false;
  appendEscaped(out_, key);
  out_ += "\":";
}

void JsonLine::text(std::string_view key, std::string_view value) {
  name(key);
  out_.push_back('"');
  appendEscaped(out_, value);
  out_.push_back('"');
}

void JsonLine::integer(std::string_view key, std::int64_t value) {
  name(key);
  std::array<char, 24> digits = {};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.append(digits.data(), end);
}

void JsonLine::real(std::string_view key, double value) {
  name(key);
  if (!std::isfinite(value)) {
    out_ += "null";
    return;
  }
  std::array<char, 32> digits = {};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.append(digits.data(), end);
}

void JsonLine::flag(std::string_view key, bool value) {
  name(key);
  out_ += value ? "true" : "false";
}

}  // namespace tollgate::telemetry
