#include "libs/telemetry/log.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "libs/base/clock.hpp"
#include "libs/base/worker.hpp"
#include "libs/telemetry/json_line.hpp"
#include "libs/telemetry/rate_limiter.hpp"

namespace tollgate::telemetry {

namespace internal {
std::atomic<int> lowest_level{static_cast<int>(Level::kError) + 1};
}

namespace {

constexpr std::size_t kLineBytesUsual = 512;
constexpr std::chrono::seconds kSummaryEvery{1};  // of lines that were suppressed

std::string_view levelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override { write_({message.payload.data(), message.payload.size()}); }
  void flush_() override {}

  std::function<void(std::string_view)> write_;
};

struct WriteField {
  JsonLine& line;
  std::string_view key;
  void operator()(std::string_view value) const { line.text(key, value); }
  void operator()(std::int64_t value) const { line.integer(key, value); }
  void operator()(double value) const { line.real(key, value); }
  void operator()(bool value) const { line.flag(key, value); }
};

// Everything between startLogging() and stopLogging().
class Writer {
 public:
  Writer(std::string_view service, LogOptions options) : service_(service), instance_(std::move(options.instance)) {
    spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    if (options.sink) {
      sink = std::make_shared<FunctionSink>(std::move(options.sink));
    }
    pool_ = std::make_shared<spdlog::details::thread_pool>(std::max<std::size_t>(options.queue_lines_max, 1), 1);
    logger_ = std::make_shared<spdlog::async_logger>("tollgate", std::move(sink), pool_, spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_pattern("%v");
    logger_->set_level(spdlog::level::trace);  // checked before the line is made
    summary_worker_.start("log_summary", [this] {
      while (summary_worker_.pauseFor(kSummaryEvery)) {
        writeSuppressed(false);
      }
    });
  }

  ~Writer() {
    summary_worker_.stop();
    writeSuppressed(true);
    pool_.reset();  // writes what is queued and joins
    logger_.reset();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void write(Level level, std::string_view message, Fields fields) {
    if (level >= Level::kWarn && !limiter_.admit(message, clock_.monotonic())) {
      return;
    }
    emit(level, message, fields);
  }

  [[nodiscard]] std::uint64_t dropped() const { return pool_->overrun_counter(); }

 private:
  void emit(Level level, std::string_view message, Fields fields) {
    thread_local std::string text;
    text.clear();
    text.reserve(kLineBytesUsual);
    JsonLine line(text);
    line.text("ts", base::formatRfc3339(clock_.wall()));
    line.text("level", levelName(level));
    line.text("service", service_);
    if (!instance_.empty()) {
      line.text("instance", instance_);
    }
    line.text("msg", message);
    for (const Field& field : fields) {
      std::visit(WriteField{line, field.key}, field.value);
    }
    line.end();
    logger_->log(spdlog::level::info, spdlog::string_view_t(text.data(), text.size()));
  }

  void writeSuppressed(bool all) {
    for (const auto& suppressed : limiter_.takeSuppressed(clock_.monotonic(), all)) {
      emit(Level::kWarn, "messages suppressed", {{"message", suppressed.message}, {"count", static_cast<std::int64_t>(suppressed.count)}});
    }
  }

  // Passed in.
  std::string service_;
  std::string instance_;
  // Owned.
  base::SystemClock clock_;
  RateLimiter limiter_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;  // shared with the logger, which only points at it weakly
  std::shared_ptr<spdlog::async_logger> logger_;        // shared because spdlog's queue holds it per line
  base::Worker summary_worker_;                         // last: uses the rest
};

// The only global of the process (STYLE 24). The lock lets stopLogging() wait for lines that are being made.
std::shared_mutex& writerMutex() {
  static std::shared_mutex mutex;
  return mutex;
}
std::unique_ptr<Writer>& writer() {
  static std::unique_ptr<Writer> instance;
  return instance;
}

}  // namespace

void startLogging(std::string_view service, Level level, LogOptions options) {
  stopLogging();
  auto fresh = std::make_unique<Writer>(service, std::move(options));
  const std::unique_lock lock(writerMutex());
  writer() = std::move(fresh);
  setLevel(level);
}

void stopLogging() {
  internal::lowest_level.store(static_cast<int>(Level::kError) + 1, std::memory_order_relaxed);
  std::unique_ptr<Writer> last;
  {
    const std::unique_lock lock(writerMutex());
    last = std::move(writer());
  }
}

base::Result<Level> parseLevel(std::string_view word) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (word == levelName(level)) {
      return level;
    }
  }
  return base::fail(base::ErrorCode::kInvalid, "level must be one of debug, info, warn, error, not '" + std::string(word) + "'");
}

void setLevel(Level level) {
  internal::lowest_level.store(static_cast<int>(level), std::memory_order_relaxed);
}

std::uint64_t droppedLines() {
  const std::shared_lock lock(writerMutex());
  return writer() ? writer()->dropped() : 0;
}

void log(Level level, std::string_view message, Fields fields) {
  if (!isLogged(level)) {
    return;
  }
  const std::shared_lock lock(writerMutex());
  if (writer()) {
    writer()->write(level, message, fields);
  }
}

std::string maskNumber(std::string_view digits) {
  constexpr std::size_t kFront = 4;
  constexpr std::size_t kBack = 3;
  std::string masked(digits);
  // Of a short number only the first digits are shown, because with the last ones beside them hardly any digit would be hidden.
  const std::size_t front = std::min(kFront, digits.size() / 2);
  const std::size_t back = digits.size() > kFront + kBack ? kBack : 0;
  std::fill(masked.begin() + static_cast<std::ptrdiff_t>(front), masked.end() - static_cast<std::ptrdiff_t>(back), '*');
  return masked;
}

}  // namespace tollgate::telemetry
