// Declared settings. A service declares each setting once, with type, default, bounds and a line of help. The value comes from the
// environment (TOLLGATE_<SERVICE>_<NAME>, else TOLLGATE_<NAME>), else from the file (`name = value`, # comments), else it is the default,
// which the caller takes from its settings struct (see README.md). Secrets come from the file named by <NAME>_FILE.
//
// A wrong value is noted and the default returned, so that a service declares all its settings and problems() can name everything that is
// wrong. A wrong configuration stops start-up.
//
// Thread: the start-up thread only. It owns what it read.
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
  // `service` as in admin_api.
  Loader(std::string service, std::map<std::string, std::string> environment);
  // A file that cannot be read and lines that are no setting are problems. Requires: called before the first setting is read.
  void readFile(const std::string& path);

  [[nodiscard]] std::string text(std::string_view name, std::string_view fallback, std::string_view help);
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback, std::int64_t low, std::int64_t high,
                                     std::string_view help);
  [[nodiscard]] std::uint16_t port(std::string_view name, std::uint16_t fallback, std::string_view help);  // 0 to 65535
  [[nodiscard]] bool flag(std::string_view name, bool fallback, std::string_view help);
  // The bounds are inclusive. Values are written "250ms", "4s", "2m", "1h" or "7d".
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name, std::chrono::milliseconds fallback, std::chrono::milliseconds low,
                                                   std::chrono::milliseconds high, std::string_view help);
  [[nodiscard]] std::vector<std::string> list(std::string_view name, std::string_view fallback,
                                              std::string_view help);  // with commas between
  // The content of the file named by the setting <name>_file, without newlines at its end; empty when the setting is not given.
  [[nodiscard]] std::string secret(std::string_view name, std::string_view help);
  // Notes that a setting breaks a rule of the service; `rule` as in "must be at least twice the heartbeat".
  void refuse(std::string_view name, std::string_view rule);

  // Everything that is wrong, one line each; names in the file that were not declared are wrong too.
  [[nodiscard]] std::vector<std::string> problems() const;
  // The same as one Error. Errors: kInvalid.
  [[nodiscard]] base::Result<void> finish() const;
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
