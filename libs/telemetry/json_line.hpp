// Writes one log line as a JSON object into a buffer. Made by hand because it runs once per call on the call's own thread. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::telemetry {

// Appends `text` as the inside of a JSON string. Control characters are escaped; bytes that are not UTF-8 become U+FFFD.
void appendEscaped(std::string& out, std::string_view text);

class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) { out_.push_back('{'); }
  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::int64_t value);
  void real(std::string_view key, double value);  // null when not finite
  void flag(std::string_view key, bool value);
  void end() { out_.push_back('}'); }

 private:
  void name(std::string_view key);

  // Passed in.
  std::string& out_;
  // Derived.
  bool is_first_ = true;
};

}  // namespace tollgate::telemetry
