#include <algorithm>
#include <iterator>
#include <string>

#include "libs/bus/jetstream.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

std::int64_t nanoseconds(std::chrono::nanoseconds time) {
  return time.count();
}

natsStatus addOrUpdateStream(jsCtx* context, jsStreamConfig& config, jsErrCode& code) {
  jsStreamInfo* raw = nullptr;
  natsStatus status = js_AddStream(&raw, context, &config, nullptr, &code);
  JetStreamInfo info(raw);
  if (status != NATS_OK && code == JSStreamNameExistErr) {  // there, with other settings
    raw = nullptr;
    status = js_UpdateStream(&raw, context, &config, nullptr, &code);
    info.reset(raw);
  }
  return status;
}

base::Result<void> ensureStream(jsCtx* context, const StreamSettings& settings) {
  // The views are literals, so they end with a zero.
  const char* subjects[std::size(subjects::kRecordSubjects)];
  for (std::size_t i = 0; i < std::size(subjects); ++i) {
    subjects[i] = subjects::kRecordSubjects[i].data();
  }
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = subjects::kRecordStream.data();
  config.Description = "records of calls";
  config.Subjects = subjects;
  config.SubjectsLen = static_cast<int>(std::size(subjects));
  config.Retention = js_LimitsPolicy;  // not interest: libs/bus/TRAPS.md 2.17
  config.Storage = js_FileStorage;
  config.Discard = js_DiscardNew;  // what is stored is never pushed out by what is new: billing may not have read it
  config.MaxAge = nanoseconds(settings.max_age);
  config.MaxBytes = settings.bytes_max;
  config.Duplicates = nanoseconds(settings.duplicate_window);
  config.Replicas = settings.replicas;
  jsErrCode code = static_cast<jsErrCode>(0);
  natsStatus status = addOrUpdateStream(context, config, code);
  if (status != NATS_OK && code == JSStorageResourcesExceededErr) {
    telemetry::warn("stream is bounded by the store of the bus", {{"bytes_max_wanted", settings.bytes_max}});
    config.MaxBytes = -1;
    status = addOrUpdateStream(context, config, code);
  }
  if (status != NATS_OK) {
    return tl::unexpected(jetStreamError(status, code, "stream CALL_EVENTS"));
  }
  return {};
}

base::Error consumerError(natsStatus status, jsErrCode code, std::string_view name) {
  return jetStreamError(status, code, "consumer " + std::string(name));
}

// Errors: kNotFound.
base::Result<JetConsumerInfo> readConsumer(jsCtx* context, std::string_view name) {
  jsErrCode code = static_cast<jsErrCode>(0);
  jsConsumerInfo* raw = nullptr;
  const natsStatus status = js_GetConsumerInfo(&raw, context, subjects::kRecordStream.data(), name.data(), nullptr, &code);
  JetConsumerInfo info(raw);
  if (status != NATS_OK) {
    return tl::unexpected(consumerError(status, code, name));
  }
  return info;
}

// Where a consumer that is made now begins. 0 = at the first record.
struct Begin {
  std::uint64_t sequence = 0;
};

// `there`: the consumer as it is, or nullptr.
base::Result<void> ensureConsumer(jsCtx* context, const StreamSettings& settings, std::string_view name, const jsConsumerInfo* there,
                                  Begin begin) {
  const bool is_push = name == kSlotsConsumer;
  const std::string deliver = subjects::deliver(name);
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.Durable = name.data();
  config.Description = is_push ? "capacity" : "CDRs and ledger";
  config.DeliverPolicy = js_DeliverAll;
  if (there != nullptr) {  // where it began cannot be changed
    config.DeliverPolicy = there->Config->DeliverPolicy;
    config.OptStartSeq = there->Config->OptStartSeq;
  } else if (begin.sequence != 0) {
    config.DeliverPolicy = js_DeliverByStartSequence;
    config.OptStartSeq = begin.sequence;
  }
  if (is_push) {
    config.DeliverSubject = deliver.c_str();
    config.DeliverGroup = name.data();
  }
  config.AckPolicy = js_AckExplicit;
  config.AckWait = nanoseconds(settings.ack_wait);
  config.MaxAckPending = settings.ack_pending_max;
  jsErrCode code = static_cast<jsErrCode>(0);
  jsConsumerInfo* raw = nullptr;
  natsStatus status = js_AddConsumer(&raw, context, subjects::kRecordStream.data(), &config, nullptr, &code);
  JetConsumerInfo info(raw);
  if (status != NATS_OK && code != 0) {  // there already: being read by another instance, or with other settings
    raw = nullptr;
    status = js_UpdateConsumer(&raw, context, subjects::kRecordStream.data(), &config, nullptr, &code);
    info.reset(raw);
  }
  if (status != NATS_OK) {
    return tl::unexpected(consumerError(status, code, name));
  }
  return {};
}

// An earlier version had one consumer, which the server pushed records to. A consumer cannot be turned from push to pull, so it is made
// again; what it had acknowledged is not read again, also not by `slots`, for which those calls are long over.
base::Result<void> ensureConsumers(jsCtx* context, const StreamSettings& settings) {
  auto books = readConsumer(context, kBooksConsumer);
  if (!books && books.error().code != base::ErrorCode::kNotFound) {
    return tl::unexpected(std::move(books.error()));
  }
  auto slots = readConsumer(context, kSlotsConsumer);
  if (!slots && slots.error().code != base::ErrorCode::kNotFound) {
    return tl::unexpected(std::move(slots.error()));
  }
  Begin begin;
  const bool is_old = books && (*books)->Config->DeliverSubject != nullptr && (*books)->Config->DeliverSubject[0] != '\0';
  if (is_old) {
    begin.sequence = (*books)->AckFloor.Stream + 1;
  }
  TG_TRY(ensureConsumer(context, settings, kSlotsConsumer, slots ? slots->get() : nullptr, begin));
  if (is_old) {
    telemetry::info("the push consumer of an earlier version is replaced", {{"begins_at", static_cast<std::int64_t>(begin.sequence)}});
    jsErrCode code = static_cast<jsErrCode>(0);
    const natsStatus status = js_DeleteConsumer(context, subjects::kRecordStream.data(), kBooksConsumer.data(), nullptr, &code);
    if (status != NATS_OK && code != JSConsumerNotFoundErr) {
      return tl::unexpected(consumerError(status, code, kBooksConsumer));
    }
  }
  return ensureConsumer(context, settings, kBooksConsumer, books && !is_old ? books->get() : nullptr, begin);
}

ConsumerProgress progressOf(const jsConsumerInfo& consumer) {
  return {consumer.AckFloor.Stream, consumer.NumPending + static_cast<std::uint64_t>(consumer.NumAckPending)};
}

}  // namespace

base::Result<void> ensureRecordStream(Connection& connection, const StreamSettings& settings) {
  return withJetStream(connection.state(), [&](jsCtx* context) -> base::Result<void> {
    TG_TRY(ensureStream(context, settings));
    return ensureConsumers(context, settings);
  });
}

base::Result<StreamProgress> readProgress(Connection& connection) {
  StreamProgress progress;
  TG_TRY(withJetStream(connection.state(), [&](jsCtx* context) -> base::Result<void> {
    jsErrCode code = static_cast<jsErrCode>(0);
    jsStreamInfo* raw_stream = nullptr;
    const natsStatus status = js_GetStreamInfo(&raw_stream, context, subjects::kRecordStream.data(), nullptr, &code);
    const JetStreamInfo stream(raw_stream);
    if (status != NATS_OK) {
      return tl::unexpected(jetStreamError(status, code, "stream CALL_EVENTS"));
    }
    progress.created_nanoseconds = stream->Created;
    progress.first_sequence = stream->State.FirstSeq;
    progress.last_sequence = stream->State.LastSeq;
    TG_TRY_ASSIGN(slots, readConsumer(context, kSlotsConsumer));
    TG_TRY_ASSIGN(books, readConsumer(context, kBooksConsumer));
    progress.slots = progressOf(*slots);
    progress.books = progressOf(*books);
    return {};
  }));
  return progress;
}

}  // namespace tollgate::bus
