// The bounded line scanner under sdp.hpp. Private to libs/sdp. Pure functions, any thread. They own nothing: views point into the text
// given, which must outlive them.
#pragma once

#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::sdp {

struct Line {
  char type;               // v, o, m, a ...
  std::string_view value;  // after the "="
};

// Lines of the session, and of each media description with its m= line first. Any of CRLF, LF, CR ends a line; empty lines are passed over.
// Errors: kOverLimit beyond limits::kSdpBytesMax or kSdpLinesMax; kInvalid for a line that is not <letter>=, a control character, or text
// that does not begin with v=0 (RFC 4566 5).
[[nodiscard]] base::Result<std::vector<Line>> splitLines(std::string_view text);

// Next space-separated word, removed from `rest`; empty at the end.
[[nodiscard]] std::string_view takeWord(std::string_view& rest);

struct MediaLine {
  std::string_view media;  // audio
  std::string_view port;   // 4000 or 4000/2
  std::string_view protocol;
  std::vector<std::string_view> formats;
};
// Errors: kInvalid when a word is missing, the port is no number, or there are more than 64 formats.
[[nodiscard]] base::Result<MediaLine> parseMedia(std::string_view value);

}  // namespace tollgate::sdp
