// Declared settings. A service declares each setting once, with type, default, bounds and a line of help; the value comes from the
// environment (TOLLGATE_<SERVICE>_<NAME>, else TOLLGATE_<NAME>) or the file (`name = value`, # comments), environment first. Secrets come
// from the file named by <NAME>_FILE. finish() reports everything wrong at once; a wrong configuration stops start-up. After a wrong value
// the fallback is returned, so that a service can go on declaring. Start-up thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::config {

struct SettingHelp {
  std::string name;
  std::string environment;
  std::string default_text;
  std::string help;
};

class Loader {
 public:
  // `service` as in admin_api. The file may be empty (environment only).
  Loader(std::string service, std::map<std::string, std::string> environment);
  // Before the first setting is read. A file that cannot be read and lines that are no setting are errors of finish().
  void readFile(const std::string& path);

  [[nodiscard]] std::string text(std::string_view name, std::string_view fallback, std::string_view help);
  [[nodiscard]] std::string required(std::string_view name, std::string_view help);
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback, std::int64_t low, std::int64_t high,
                                     std::string_view help);
  [[nodiscard]] std::uint16_t port(std::string_view name, std::uint16_t fallback, std::string_view help);  // 0 allowed = any free
  [[nodiscard]] bool flag(std::string_view name, bool fallback, std::string_view help);
  // "250ms", "4s", "2m", "1h"
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name, std::chrono::milliseconds fallback, std::chrono::milliseconds low,
                                                   std::chrono::milliseconds high, std::string_view help);
  [[nodiscard]] std::vector<std::string> list(std::string_view name, std::string_view fallback, std::string_view help);  // comma
  // The content of the file named by setting <name>_file, without the trailing newline; empty when the setting is not given.
  [[nodiscard]] std::string secret(std::string_view name, std::string_view help);
  // A rule of the service's own that was broken.
  void refuse(std::string_view name, std::string_view why);

  // Every error found, unknown names in the file included; kInvalid.
  [[nodiscard]] base::Result<void> finish() const;
  // The same errors one by one, for a report of a line each.
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] const std::vector<SettingHelp>& declared() const { return declared_; }
  [[nodiscard]] const std::string& service() const { return service_; }

 private:
  [[nodiscard]] const std::string* find(std::string_view name) const;
  [[nodiscard]] std::string environmentName(std::string_view name, bool with_service) const;
  void readLine(std::string_view line, const std::string& where);
  [[nodiscard]] bool isDeclared(std::string_view name) const;
  void declare(std::string_view name, std::string_view fallback, std::string_view help);

  // Passed in.
  std::string service_;
  std::map<std::string, std::string> environment_;
  // Derived.
  struct FileValue {
    std::string value;
    std::string where;  // path:line
  };
  std::map<std::string, FileValue, std::less<>> file_values_;
  std::vector<SettingHelp> declared_;
  std::vector<std::string> errors_;
};

}  // namespace tollgate::config
