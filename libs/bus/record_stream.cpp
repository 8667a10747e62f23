#include <iterator>

#include "libs/bus/jetstream.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

constexpr const char* kDurable = "billing";

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
  config.Retention = js_LimitsPolicy;
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

base::Result<void> ensureConsumer(jsCtx* context, const StreamSettings& settings) {
  const std::string deliver = subjects::deliver(kDurable);
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.Durable = kDurable;
  config.Description = "CDRs and ledger";
  config.DeliverPolicy = js_DeliverAll;
  config.DeliverSubject = deliver.c_str();
  config.DeliverGroup = kDurable;
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
    return tl::unexpected(jetStreamError(status, code, "consumer billing"));
  }
  return {};
}

}  // namespace

base::Result<void> ensureRecordStream(Connection& connection, const StreamSettings& settings) {
  return withJetStream(connection.state(), [&](jsCtx* context) -> base::Result<void> {
    TG_TRY(ensureStream(context, settings));
    return ensureConsumer(context, settings);
  });
}

base::Result<std::string> readRecord(Connection& connection, std::uint64_t stream_sequence) {
  std::string data;
  TG_TRY(withJetStream(connection.state(), [&](jsCtx* context) -> base::Result<void> {
    jsErrCode code = static_cast<jsErrCode>(0);
    natsMsg* raw = nullptr;
    const natsStatus status = js_GetMsg(&raw, context, subjects::kRecordStream.data(), stream_sequence, nullptr, &code);
    const NatsMessage message(raw);
    if (status != NATS_OK) {
      return tl::unexpected(jetStreamError(status, code, "record " + std::to_string(stream_sequence)));
    }
    data.assign(natsMsg_GetData(raw), static_cast<std::size_t>(natsMsg_GetDataLength(raw)));
    return {};
  }));
  return data;
}

}  // namespace tollgate::bus
