#include "libs/sdp/sdp.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "libs/sdp/lines.hpp"

namespace tollgate::sdp {
namespace {

bool isSameNoCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::optional<base::Codec> codecOf(std::string_view name) {
  for (const base::Codec codec : base::kCodecs) {
    if (isSameNoCase(name, base::codecName(codec))) {
      return codec;
    }
  }
  return std::nullopt;
}

// Encoding name of a static payload type (RFC 3551 6), which needs no rtpmap.
std::string_view staticName(std::string_view format) {
  if (format == "0") {
    return "PCMU";
  }
  if (format == "8") {
    return "PCMA";
  }
  if (format == "18") {
    return "G729";
  }
  return format == "13" ? "CN" : "";
}

bool isCompanion(std::string_view name) {
  return isSameNoCase(name, "telephone-event") || isSameNoCase(name, "CN");
}

// The payload type of an attribute that belongs to one, e.g. "rtpmap:8 PCMA/8000" -> "8"; empty for other attributes.
std::string_view payloadOf(std::string_view attribute, std::string_view* rest) {
  for (const std::string_view name : {"rtpmap:", "fmtp:", "rtcp-fb:"}) {
    if (attribute.starts_with(name)) {
      std::string_view value = attribute.substr(name.size());
      const std::string_view payload = takeWord(value);
      *rest = value;
      return payload;
    }
  }
  return {};
}

using Lines = std::vector<Line>;
using Iterator = Lines::const_iterator;

// Encoding name of a format: its rtpmap in this media description, else the static one.
std::string_view encodingOf(std::string_view format, Iterator begin, Iterator end) {
  for (Iterator line = begin; line != end; ++line) {
    std::string_view rest;
    if (line->type == 'a' && line->value.starts_with("rtpmap:") && payloadOf(line->value, &rest) == format) {
      const std::string_view encoding = takeWord(rest);
      return encoding.substr(0, encoding.find('/'));
    }
  }
  return staticName(format);
}

void append(std::string& text, char type, std::string_view value) {
  text += type;
  text += '=';
  text += value;
  text += "\r\n";
}

void appendOrigin(std::string& text, std::string_view theirs, const Origin& origin) {
  // The version is the other side's, because a changed version tells the peer that the session changed (RFC 3264 8). Text that is not a
  // number becomes 1.
  (void)takeWord(theirs);  // user name
  (void)takeWord(theirs);  // session id
  const std::string_view version = takeWord(theirs);
  const bool is_number =
      !version.empty() && version.size() <= 20 && std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool is_ipv6 = origin.address.find(':') != std::string::npos;
  append(text, 'o',
         "- " + std::to_string(origin.session_id) + " " + std::string(is_number ? version : "1") + (is_ipv6 ? " IN IP6 " : " IN IP4 ") +
             origin.address);
}

void appendSession(std::string& text, Iterator begin, Iterator end, const Origin& origin) {
  for (Iterator line = begin; line != end; ++line) {
    if (line->type == 'o') {
      appendOrigin(text, line->value, origin);
    } else if (line->type == 's') {
      append(text, 's', "-");
    } else if (line->type == 'i' || line->type == 'u' || line->type == 'e' || line->type == 'p' ||
               (line->type == 'a' && line->value.starts_with("tool:"))) {
      continue;  // these say who the other side is, and what software it runs
    } else {
      append(text, line->type, line->value);
    }
  }
}

void appendMedia(std::string& text, Iterator begin, Iterator end) {
  for (Iterator line = begin; line != end; ++line) {
    append(text, line->type, line->value);
  }
}

void appendRejected(std::string& text, const MediaLine& media) {
  std::string value = std::string(media.media) + " 0 " + std::string(media.protocol);
  for (const std::string_view format : media.formats) {
    value += " " + std::string(format);
  }
  append(text, 'm', value);
}

struct Kept {
  std::vector<std::string_view> formats;
  bool has_codec = false;  // an allowed one; telephone-event and comfort noise do not count
};

Kept keepAllowed(const MediaLine& media, Iterator begin, Iterator end, base::CodecSet allowed) {
  Kept kept;
  for (const std::string_view format : media.formats) {
    const std::string_view encoding = encodingOf(format, begin, end);
    const auto codec = codecOf(encoding);
    if (codec && allowed.has(*codec)) {
      kept.has_codec = true;
    } else if (!isCompanion(encoding)) {
      continue;
    }
    kept.formats.push_back(format);
  }
  return kept;
}

void appendFiltered(std::string& text, const MediaLine& media, const Kept& kept, Iterator begin, Iterator end) {
  std::string value = std::string(media.media) + " " + std::string(media.port) + " " + std::string(media.protocol);
  for (const std::string_view format : kept.formats) {
    value += " " + std::string(format);
  }
  append(text, 'm', value);
  for (Iterator line = begin + 1; line != end; ++line) {
    std::string_view rest;
    const std::string_view payload = line->type == 'a' ? payloadOf(line->value, &rest) : std::string_view();
    const bool is_dropped =
        !payload.empty() && payload != "*" && std::find(kept.formats.begin(), kept.formats.end(), payload) == kept.formats.end();
    if (!is_dropped) {
      append(text, line->type, line->value);
    }
  }
}

bool isRejected(const MediaLine& media) {
  const std::string_view number = media.port.substr(0, media.port.find('/'));
  return number.find_first_not_of('0') == std::string_view::npos;
}

Iterator nextMedia(Iterator from, Iterator end) {
  return std::find_if(from, end, [](const Line& line) { return line.type == 'm'; });
}

}  // namespace

base::Result<Filtered> filterAudio(std::string_view text, base::CodecSet allowed, const Origin& origin) {
  TG_TRY_ASSIGN(lines, splitLines(text));
  Filtered result;
  result.text.reserve(text.size() + 64);
  const Iterator end = lines.cend();
  Iterator begin = nextMedia(lines.cbegin(), end);
  appendSession(result.text, lines.cbegin(), begin, origin);
  bool has_audio = false;
  bool has_codec = false;
  while (begin != end) {
    const Iterator next = nextMedia(begin + 1, end);
    TG_TRY_ASSIGN(media, parseMedia(begin->value));
    if (media.media == "audio" && !isRejected(media)) {
      const Kept kept = keepAllowed(media, begin, next, allowed);
      if (kept.has_codec) {
        appendFiltered(result.text, media, kept, begin, next);
      } else {
        appendRejected(result.text, media);
      }
      if (!has_audio) {
        has_codec = kept.has_codec;
      }
      has_audio = true;
    } else {
      appendMedia(result.text, begin, next);
    }
    begin = next;
  }
  if (!has_codec) {
    return Filtered{.no_common_codec = true, .text = {}};
  }
  return result;
}

base::Result<std::string> hideOrigin(std::string_view text, const Origin& origin) {
  TG_TRY_ASSIGN(lines, splitLines(text));
  std::string result;
  result.reserve(text.size() + 64);
  const Iterator media = nextMedia(lines.cbegin(), lines.cend());
  appendSession(result, lines.cbegin(), media, origin);
  appendMedia(result, media, lines.cend());
  return result;
}

}  // namespace tollgate::sdp
