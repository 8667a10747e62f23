#include "libs/config/loader.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "libs/base/text.hpp"

namespace tollgate::config {

namespace {

using base::parseInteger;
using base::trimmed;
using base::upper;

constexpr std::size_t kFileBytesMax = 1U << 20U;
constexpr std::size_t kSecretBytesMax = 1U << 16U;

bool isName(std::string_view text) {
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr std::int64_t kDurationCountMax = 1'000'000'000;  // keeps count times a day inside 64 bits

std::optional<std::chrono::milliseconds> parseDuration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parseInteger(text.substr(0, digits));
  if (!count || *count > kDurationCountMax) {
    return std::nullopt;
  }
  for (const Unit& unit : kUnits) {
    if (text.substr(digits) == unit.name) {
      return std::chrono::milliseconds{*count * unit.milliseconds};
    }
  }
  if (*count == 0 && digits == text.size()) {
    return std::chrono::milliseconds{0};
  }
  return std::nullopt;
}

std::string durationText(std::chrono::milliseconds duration) {
  for (auto unit = std::rbegin(kUnits); unit != std::rend(kUnits); ++unit) {
    if (duration.count() != 0 && duration.count() % unit->milliseconds == 0) {
      return std::to_string(duration.count() / unit->milliseconds) + std::string(unit->name);
    }
  }
  return std::to_string(duration.count()) + "ms";
}

// At most `bytes_max` bytes of a file; nullopt when it cannot be read or is larger.
std::optional<std::string> readWhole(const std::string& path, std::size_t bytes_max) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return std::nullopt;
  }
  std::string content(bytes_max + 1, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (stream.bad() || (stream.fail() && !stream.eof())) {
    return std::nullopt;
  }
  const auto length = static_cast<std::size_t>(stream.gcount());
  if (length > bytes_max) {
    return std::nullopt;
  }
  content.resize(length);
  return content;
}

}  // namespace

Loader::Loader(std::string service, std::map<std::string, std::string> environment)
    : service_(std::move(service)), environment_(std::move(environment)) {}

void Loader::readFile(const std::string& path) {
  const auto content = readWhole(path, kFileBytesMax);
  if (!content) {
    errors_.push_back("configuration file " + path + " cannot be read or is larger than " + std::to_string(kFileBytesMax) + " bytes");
    return;
  }
  std::istringstream lines(*content);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    readLine(line, path + ":" + std::to_string(number));
  }
}

void Loader::readLine(std::string_view line, const std::string& where) {
  const std::string_view content = trimmed(line);
  if (content.empty() || content.front() == '#') {
    return;
  }
  const auto equals = content.find('=');
  const std::string_view name = trimmed(content.substr(0, equals));
  if (equals == std::string_view::npos || !isName(name)) {
    errors_.push_back(where + ": expected `name = value`");
    return;
  }
  std::string_view value = content.substr(equals + 1);
  value = trimmed(value.substr(0, std::min(value.find(" #"), value.find("\t#"))));
  const auto [found, is_new] = file_values_.try_emplace(std::string(name), FileValue{std::string(value), where});
  if (!is_new) {
    errors_.push_back(where + ": '" + std::string(name) + "' was already given at " + found->second.where);
  }
}

std::string Loader::environmentName(std::string_view name, bool with_service) const {
  return with_service ? "TOLLGATE_" + upper(service_) + "_" + upper(name) : "TOLLGATE_" + upper(name);
}

const std::string* Loader::find(std::string_view name) const {
  for (const bool with_service : {true, false}) {
    const auto found = environment_.find(environmentName(name, with_service));
    if (found != environment_.end()) {
      return &found->second;
    }
  }
  const auto found = file_values_.find(name);
  return found == file_values_.end() ? nullptr : &found->second.value;
}

bool Loader::isDeclared(std::string_view name) const {
  return std::any_of(declared_.begin(), declared_.end(), [&](const SettingHelp& known) { return known.name == name; });
}

void Loader::declare(std::string_view name, std::string_view fallback, std::string_view help) {
  if (!isDeclared(name)) {
    declared_.push_back({std::string(name), environmentName(name, true), std::string(fallback), std::string(help)});
  }
}

std::string Loader::text(std::string_view name, std::string_view fallback, std::string_view help) {
  declare(name, fallback, help);
  const std::string* given = find(name);
  return given == nullptr ? std::string(fallback) : *given;
}

std::int64_t Loader::integer(std::string_view name, std::int64_t fallback, std::int64_t low, std::int64_t high, std::string_view help) {
  declare(name, std::to_string(fallback), help);
  const std::string* given = find(name);
  if (given == nullptr) {
    return fallback;
  }
  const auto value = parseInteger(*given);
  if (!value || *value < low || *value > high) {
    refuse(name, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ", not '" + *given + "'");
    return fallback;
  }
  return *value;
}

std::uint16_t Loader::port(std::string_view name, std::uint16_t fallback, std::string_view help) {
  return static_cast<std::uint16_t>(integer(name, fallback, 0, 65535, help));
}

bool Loader::flag(std::string_view name, bool fallback, std::string_view help) {
  declare(name, fallback ? "true" : "false", help);
  const std::string* given = find(name);
  if (given == nullptr) {
    return fallback;
  }
  if (*given != "true" && *given != "false") {
    refuse(name, "must be true or false, not '" + *given + "'");
    return fallback;
  }
  return *given == "true";
}

std::chrono::milliseconds Loader::duration(std::string_view name, std::chrono::milliseconds fallback, std::chrono::milliseconds low,
                                           std::chrono::milliseconds high, std::string_view help) {
  declare(name, durationText(fallback), help);
  const std::string* given = find(name);
  if (given == nullptr) {
    return fallback;
  }
  const auto value = parseDuration(*given);
  if (!value || *value < low || *value > high) {
    refuse(name,
           "must be a time from " + durationText(low) + " to " + durationText(high) + " like 250ms, 4s, 2m or 1h, not '" + *given + "'");
    return fallback;
  }
  return *value;
}

std::vector<std::string> Loader::list(std::string_view name, std::string_view fallback, std::string_view help) {
  const std::string joined = text(name, fallback, help);
  std::vector<std::string> items;
  std::istringstream stream(joined);
  for (std::string item; std::getline(stream, item, ',');) {
    if (const auto content = trimmed(item); !content.empty()) {
      items.emplace_back(content);
    }
  }
  return items;
}

std::string Loader::secret(std::string_view name, std::string_view help) {
  const std::string setting = std::string(name) + "_file";
  const std::string path = text(setting, "", "file that holds the " + std::string(help));
  if (path.empty()) {
    return {};
  }
  auto content = readWhole(path, kSecretBytesMax);
  if (!content) {
    refuse(setting, "cannot be read: " + path);
    return {};
  }
  while (!content->empty() && (content->back() == '\n' || content->back() == '\r')) {
    content->pop_back();
  }
  if (content->empty()) {
    refuse(setting, "is empty: " + path);
  }
  return *content;
}

void Loader::refuse(std::string_view name, std::string_view rule) {
  errors_.push_back(std::string(name) + " (" + environmentName(name, true) + ") " + std::string(rule));
}

std::vector<std::string> Loader::problems() const {
  std::vector<std::string> all = errors_;
  for (const auto& [name, given] : file_values_) {
    if (!isDeclared(name)) {
      all.push_back(given.where + ": there is no setting '" + name + "'");
    }
  }
  return all;
}

base::Result<void> Loader::finish() const {
  const auto all = problems();
  if (all.empty()) {
    return {};
  }
  std::string message;
  for (const std::string& problem : all) {
    message += (message.empty() ? "" : "\n") + problem;
  }
  return base::fail(base::ErrorCode::kInvalid, message);
}

}  // namespace tollgate::config
