#include "services/admin_api/api/base64.hpp"

namespace tollgate::admin_api {

std::string toBase64(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : bytes) {
    bits = ((bits << 8U) | static_cast<unsigned char>(c)) & 0xffffU;
    for (held += 8; held >= 6; held -= 6) {
      text += alphabet[(bits >> (held - 6)) & 63U];
    }
  }
  if (held > 0) {
    text += alphabet[(bits << (6 - held)) & 63U];
  }
  return text;
}

std::optional<std::string> fromBase64(std::string_view text, std::string_view alphabet) {
  while (!text.empty() && text.back() == '=') {
    text.remove_suffix(1);
  }
  std::string bytes;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) {
      return std::nullopt;
    }
    bits = ((bits << 6U) | static_cast<unsigned>(value)) & 0xffffU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>((bits >> held) & 0xffU);
    }
  }
  return bytes;
}

}  // namespace tollgate::admin_api
