#include "services/billing/records/intake.hpp"

#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

constexpr const char* kDurable = "billing";
constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::milliseconds kPoll{20};

}  // namespace

Intake::Intake(bus::Connection& connection, bus::StreamSettings settings, std::function<void(bus::Record)> accept)
    : connection_(connection), settings_(settings), accept_(std::move(accept)) {}

void Intake::start() {
  worker_.start("intake", [this] { run(); });
}

void Intake::stop() {
  worker_.stop();
  std::shared_ptr<bus::RecordConsumer> consumer;
  {
    const std::lock_guard lock(mutex_);
    consumer.swap(consumer_);
  }
}

bool Intake::isBound() const {
  const std::lock_guard lock(mutex_);
  return consumer_ != nullptr;
}

void Intake::run() {
  do {
    if (!connection_.isConnected()) {
      continue;
    }
    if (const auto ensured = bus::ensureRecordStream(connection_, settings_); !ensured) {
      telemetry::warn("record stream not ready", {{"error", ensured.error().message}});
      continue;
    }
    auto consumer = bus::RecordConsumer::open(connection_, kDurable, accept_);
    if (!consumer) {
      telemetry::warn("cannot subscribe to the record stream", {{"error", consumer.error().message}});
      continue;
    }
    const std::lock_guard lock(mutex_);
    consumer_ = std::move(*consumer);
    telemetry::info("subscribed to the record stream");
    return;
  } while (worker_.pauseFor(kRetry));
}

base::Result<bus::ConsumerProgress> Intake::progress() {
  std::shared_ptr<bus::RecordConsumer> consumer;
  {
    const std::lock_guard lock(mutex_);
    consumer = consumer_;
  }
  if (!consumer) {
    return base::fail(base::ErrorCode::kUnavailable, "not subscribed to the record stream yet");
  }
  return consumer->progress();
}

base::Result<void> Intake::waitCaughtUp(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  TG_TRY_ASSIGN(first, progress());
  bus::ConsumerProgress now = first;
  // The consumer never acknowledges records that the stream had removed before the consumer was created; then nothing is pending.
  while (now.acked_floor_sequence < first.stream_last_sequence && now.pending != 0) {
    if (std::chrono::steady_clock::now() >= end) {
      return base::fail(base::ErrorCode::kTimeout, std::to_string(now.pending) + " records are not acknowledged yet");
    }
    if (!worker_.pauseFor(kPoll)) {
      return base::fail(base::ErrorCode::kUnavailable, "stopping");
    }
    TG_TRY_ASSIGN(next, progress());
    now = next;
  }
  return {};
}

}  // namespace tollgate::billing
