// JSON logs, one line an event: ts level service call_id trunk msg key=value. msg is constant text; numbers dialled are masked above debug,
// secrets and digests never logged. Asynchronous, never blocks the caller (overruns drop the oldest). Any thread. Nothing is written
// before startLogging() or after stopLogging().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
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

struct LogOptions {
  std::string instance;                             // on every line when not empty
  std::size_t queue_lines_max = 8192;               // beyond: the oldest lines are dropped and counted
  std::function<void(std::string_view line)> sink;  // one JSON object without newline, on the writer's thread; empty = stderr
};

// Before anything logs; service name goes on every line. Lines go to stderr. A second start replaces the first.
void startLogging(std::string_view service, Level level, LogOptions options = {});
void stopLogging();                                                   // flushes
[[nodiscard]] base::Result<Level> parseLevel(std::string_view word);  // debug, info, warn, error
void setLevel(Level level);
// Lines the writer could not keep up with, since startLogging().
[[nodiscard]] std::uint64_t droppedLines();

namespace internal {
extern std::atomic<int> lowest_level;  // above kError when logging is not started
}

[[nodiscard]] inline bool isLogged(Level level) {
  return static_cast<int>(level) >= internal::lowest_level.load(std::memory_order_relaxed);
}

void log(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields fields = {}) {
  if (isLogged(Level::kDebug)) {
    log(Level::kDebug, message, fields);
  }
}
inline void info(std::string_view message, Fields fields = {}) {
  if (isLogged(Level::kInfo)) {
    log(Level::kInfo, message, fields);
  }
}
// warn and error are rate-limited per message: 10 a second, then one line that counts the rest.
inline void warn(std::string_view message, Fields fields = {}) {
  log(Level::kWarn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  log(Level::kError, message, fields);
}

// 447700900123 -> 4477*****123
[[nodiscard]] std::string maskNumber(std::string_view digits);

}  // namespace tollgate::telemetry
