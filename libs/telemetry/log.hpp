// JSON logs, one line an event: ts level service call_id trunk msg key=value. msg is constant text; numbers dialled are masked above debug,
// secrets and digests never logged. Asynchronous, never blocks the caller (overruns drop the oldest). Any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "libs/base/result.hpp"

namespace tollgate::telemetry {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

using Fields = std::initializer_list<Field>;

// Before anything logs; service name goes on every line. Lines go to stderr.
void startLogging(std::string_view service, Level level);
void stopLogging();  // flushes
[[nodiscard]] base::Result<Level> parseLevel(std::string_view word);
void setLevel(Level level);
[[nodiscard]] bool isLogged(Level level);

void log(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields fields = {}) { log(Level::kDebug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { log(Level::kInfo, message, fields); }
// warn and error are rate-limited per message: 10 a second, then one line that counts the rest.
inline void warn(std::string_view message, Fields fields = {}) { log(Level::kWarn, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { log(Level::kError, message, fields); }

// 447700900123 -> 4477*****123
[[nodiscard]] std::string maskNumber(std::string_view digits);

}  // namespace tollgate::telemetry
