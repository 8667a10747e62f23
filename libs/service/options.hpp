// The command line of every service. Start-up thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/config/loader.hpp"

namespace tollgate::service {

struct Options {
  std::string config_file;  // empty = environment only
  bool is_check = false;
  bool is_help = false;
  bool is_version = false;
};

// Errors: kInvalid, naming the option that is unknown.
[[nodiscard]] base::Result<Options> parseOptions(const std::vector<std::string_view>& arguments);
[[nodiscard]] std::string helpText(std::string_view service, std::string_view summary, const std::vector<config::SettingHelp>& settings);
[[nodiscard]] std::string_view version();
// admin_api -> tollgate-admin-api
[[nodiscard]] std::string programName(std::string_view service);

}  // namespace tollgate::service
