#include "libs/sdp/lines.hpp"

#include <algorithm>

#include "libs/base/limits.hpp"

namespace tollgate::sdp {
namespace {

constexpr std::size_t kFormatsMax = 64;

bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

bool isPort(std::string_view text) {
  const std::string_view number = text.substr(0, text.find('/'));
  return !number.empty() && number.size() <= 5 && std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

base::Result<std::vector<Line>> splitLines(std::string_view text) {
  if (text.size() > base::limits::kSdpBytesMax) {
    return base::fail(base::ErrorCode::kOverLimit, "SDP of more than 16 kB");
  }
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) {
      continue;
    }
    if (lines.size() >= base::limits::kSdpLinesMax) {
      return base::fail(base::ErrorCode::kOverLimit, "SDP of too many lines");
    }
    if (line.size() < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' || std::any_of(line.begin(), line.end(), isControl)) {
      return base::fail(base::ErrorCode::kInvalid, "not an SDP line");
    }
    lines.push_back({line[0], line.substr(2)});
  }
  if (lines.empty() || lines[0].type != 'v' || lines[0].value != "0") {
    return base::fail(base::ErrorCode::kInvalid, "SDP does not begin with v=0");
  }
  return lines;
}

std::string_view takeWord(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

base::Result<MediaLine> parseMedia(std::string_view value) {
  MediaLine line;
  line.media = takeWord(value);
  line.port = takeWord(value);
  line.protocol = takeWord(value);
  for (std::string_view format = takeWord(value); !format.empty(); format = takeWord(value)) {
    if (line.formats.size() >= kFormatsMax) {
      return base::fail(base::ErrorCode::kInvalid, "SDP media line with too many formats");
    }
    line.formats.push_back(format);
  }
  if (line.formats.empty() || !isPort(line.port)) {
    return base::fail(base::ErrorCode::kInvalid, "not an SDP media line");
  }
  return line;
}

}  // namespace tollgate::sdp
