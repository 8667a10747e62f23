#include "services/billing/records/intake.hpp"

#include <algorithm>

#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kCheck{500};
constexpr std::chrono::milliseconds kPoll{20};

bool hasRead(const bus::ConsumerProgress& reader, std::uint64_t last) {
  // A consumer never acknowledges records that the stream had removed before it was made; then nothing is pending.
  return reader.acked_floor_sequence >= last || reader.pending == 0;
}

}  // namespace

Intake::Intake(bus::Connection& connection, bus::StreamSettings settings, BillingMetrics& metrics, std::function<void(bus::Record)> accept)
    : connection_(connection), settings_(settings), metrics_(metrics), accept_(std::move(accept)) {}

void Intake::start() {
  worker_.start("intake", [this] { run(); });
}

void Intake::stop() {
  worker_.stop();
  setBound(false);
  slots_.reset();
}

bool Intake::isBound() const {
  const std::lock_guard lock(mutex_);
  return is_bound_;
}

void Intake::setBound(bool is_bound) {
  const std::lock_guard lock(mutex_);
  is_bound_ = is_bound;
}

void Intake::run() {
  do {
    if (connection_.isConnected()) {
      check();
    }
  } while (worker_.pauseFor(kCheck));
}

void Intake::check() {
  if (!is_made_) {
    make();
    return;
  }
  const auto progress = bus::readProgress(connection_);
  if (!progress) {
    if (progress.error().code == base::ErrorCode::kNotFound) {
      setBound(false);
      telemetry::error("the record stream or a consumer of it is gone and is made again", {{"error", progress.error().message}});
      metrics_.streams_made.add();
      is_made_ = false;
      make();
    } else {
      telemetry::warn("the record stream cannot be examined", {{"error", progress.error().message}});
    }
    return;
  }
  if (stream_created_ != progress->created_nanoseconds) {
    if (stream_created_ != 0) {
      // Its sequences are other records now.
      bus::forgetDeliveries(connection_);
    }
    stream_created_ = progress->created_nanoseconds;
  }
  setBound(slots_ != nullptr);
  metrics_.records_unread_slots.set(static_cast<double>(progress->slots.pending));
  metrics_.records_unread_books.set(static_cast<double>(progress->books.pending));
}

void Intake::make() {
  bus::forgetDeliveries(connection_);
  if (const auto ensured = bus::ensureRecordStream(connection_, settings_); !ensured) {
    telemetry::warn("record stream not ready", {{"error", ensured.error().message}});
    return;
  }
  if (!slots_) {
    auto consumer = bus::RecordConsumer::open(connection_, accept_);
    if (!consumer) {
      telemetry::warn("cannot subscribe to the record stream", {{"error", consumer.error().message}});
      return;
    }
    slots_ = std::move(*consumer);
  }
  telemetry::info("the record stream and its consumers are ready");
  is_made_ = true;
  setBound(true);
}

base::Result<void> Intake::waitCaughtUp(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  TG_TRY_ASSIGN(now, bus::readProgress(connection_));
  const std::uint64_t last = now.last_sequence;
  while (!hasRead(now.slots, last) || !hasRead(now.books, last)) {
    if (std::chrono::steady_clock::now() >= end) {
      return base::fail(base::ErrorCode::kTimeout,
                        std::to_string(std::max(now.slots.pending, now.books.pending)) + " records are not acknowledged yet");
    }
    if (!worker_.pauseFor(kPoll)) {
      return base::fail(base::ErrorCode::kUnavailable, "stopping");
    }
    TG_TRY_ASSIGN(next, bus::readProgress(connection_));
    now = next;
  }
  return {};
}

}  // namespace tollgate::billing
