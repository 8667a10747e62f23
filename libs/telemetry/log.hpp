// JSON logs, one line an event: ts level service call_id trunk msg key=value. msg is constant text; dialled numbers are masked above debug;
// secrets and digests are never logged (STYLE 29, 30). A thread of its own writes the lines, so logging never blocks; when that thread is
// too slow, the oldest lines are dropped. Any thread. Nothing is written before startLogging() or after stopLogging().
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

// Call it before anything logs. `service` is on every line. A second start replaces the first.
void startLogging(std::string_view service, Level level, LogOptions options = {});
void stopLogging();                                                   // flushes
[[nodiscard]] base::Result<Level> parseLevel(std::string_view word);  // debug, info, warn, error. Errors: kInvalid
void setLevel(Level level);
// The number of lines dropped because the writer was too slow, since startLogging().
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
