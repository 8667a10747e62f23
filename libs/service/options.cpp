#include "libs/service/options.hpp"

#include <algorithm>

#include "libs/base/text.hpp"

namespace tollgate::service {

base::Result<Options> parseOptions(const std::vector<std::string_view>& arguments) {
  constexpr std::string_view kConfig = "--config=";
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == "--help" || word == "-h") {
      options.is_help = true;
    } else if (word == "--version") {
      options.is_version = true;
    } else if (word == "--check-config") {
      options.is_check = true;
    } else if (word.rfind(kConfig, 0) == 0 && word.size() > kConfig.size()) {
      options.config_file = word.substr(kConfig.size());
    } else if (word == "--config" && i + 1 < arguments.size()) {
      options.config_file = arguments[++i];
    } else {
      return base::fail(base::ErrorCode::kInvalid, "unknown option: " + std::string(word) + " (see --help)");
    }
  }
  return options;
}

std::string helpText(std::string_view service, std::string_view summary, const std::vector<config::SettingHelp>& settings) {
  std::string text = programName(service) + " - " + std::string(summary) +
                     "\n\n"
                     "  --config FILE    settings file: name = value, # comments; the environment wins\n"
                     "  --check-config   check the configuration and exit: 0 good, 2 wrong\n"
                     "  --help, --version\n\n"
                     "Settings (in the environment TOLLGATE_" +
                     base::upper(service) + "_<NAME> or TOLLGATE_<NAME>, in capitals):\n";
  std::size_t width = 0;
  for (const auto& setting : settings) {
    width = std::max(width, setting.name.size());
  }
  for (const auto& setting : settings) {
    const std::string fallback = setting.default_text.empty() ? "none" : setting.default_text;
    text += "  " + setting.name + std::string(width - setting.name.size() + 2, ' ') + setting.help + " [" + fallback + "]\n";
  }
  return text;
}

std::string_view version() {
  return TOLLGATE_VERSION;
}

std::string programName(std::string_view service) {
  std::string name = "tollgate-" + std::string(service);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace tollgate::service
