#include "libs/spool/record_spool.hpp"

#include <utility>

#include "libs/spool/writer.hpp"

namespace tollgate::spool {
namespace {

constexpr std::size_t kSubjectBytesMax = 512;
constexpr std::size_t kMessageIdBytesMax = 512;
constexpr std::size_t kDataBytesMax = 8U << 20U;

}  // namespace

RecordSpool::RecordSpool(std::shared_ptr<State> state) : state_(std::move(state)) {}

RecordSpool::~RecordSpool() {
  close();
}

void RecordSpool::close() {
  state_->stop();
}

base::Result<std::unique_ptr<RecordSpool>> RecordSpool::open(SpoolSettings settings, Publish publish, OnStored on_stored) {
  auto state = std::make_shared<State>(std::move(settings), std::move(publish), std::move(on_stored));
  TG_TRY(state->openDirectory());
  state->start();
  return std::unique_ptr<RecordSpool>(new RecordSpool(std::move(state)));  // the constructor is private
}

base::Result<std::unique_ptr<RecordSpool>> RecordSpool::open(SpoolSettings settings, bus::RecordPublisher& publisher, OnStored on_stored) {
  return open(
      std::move(settings),
      [&publisher](std::string_view subject, std::string_view message_id, std::string_view data, auto done) {
        publisher.publish(subject, message_id, data, std::move(done));
      },
      std::move(on_stored));
}

base::Result<void> RecordSpool::append(std::string_view subject, std::string_view message_id, std::string data) {
  if (subject.empty() || subject.size() > kSubjectBytesMax || message_id.empty() || message_id.size() > kMessageIdBytesMax ||
      data.size() > kDataBytesMax) {
    return base::fail(base::ErrorCode::kInvalid, "a record needs a subject, a message id and data of sensible length");
  }
  return state_->append(std::make_unique<Record>(Record{std::string(subject), std::string(message_id), std::move(data)}));
}

std::uint64_t RecordSpool::unsentCount() const {
  return state_->unsent.load();
}

SpoolStats RecordSpool::stats() const {
  SpoolStats stats;
  stats.unsent = state_->unsent;
  stats.disk_bytes = state_->disk_bytes;
  stats.memory_only = state_->memory_only;
  stats.set_aside_bytes = state_->set_aside_bytes;
  stats.appended = state_->appended;
  stats.refused = state_->refused;
  stats.stored = state_->stored;
  stats.resent = state_->resent;
  stats.replayed = state_->replayed;
  stats.write_failures = state_->write_failures;
  stats.damaged_files = state_->damaged_files;
  stats.unreadable = state_->unreadable;
  stats.lost = state_->lost;
  return stats;
}

bool RecordSpool::waitUntilStored(std::chrono::milliseconds timeout) const {
  return state_->waitUntilStored(timeout);
}

}  // namespace tollgate::spool
