#include "libs/bus/records.hpp"

#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "libs/bus/connection_state.hpp"
#include "libs/bus/reply_inbox.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

constexpr std::int64_t kJetStreamWaitMs = 5000;

[[nodiscard]] base::Error jetStreamError(natsStatus status, jsErrCode code, const std::string& what) {
  base::Error error = natsError(status, what);
  if (code != 0) {
    error.message += " (JetStream error " + std::to_string(static_cast<int>(code)) + ")";
  }
  if (code == JSNotEnabledErr || code == JSNotEnabledForAccountErr || code == JSClusterNotAvailErr || code == JSInsufficientResourcesErr) {
    error.code = base::ErrorCode::kUnavailable;
  } else if (code == JSNoMessageFoundErr || code == JSStreamNotFoundErr || code == JSConsumerNotFoundErr) {
    error.code = base::ErrorCode::kNotFound;
  }
  return error;
}

// Calls use(context) -> Result<void>. Blocks as long as it does.
template <class Use>
[[nodiscard]] base::Result<void> withJetStream(const Connection::State& connection, Use use) {
  if (!connection.connected) {
    return base::fail(base::ErrorCode::kUnavailable, "not connected to the bus");
  }
  base::Result<void> result;
  TG_TRY(connection.withHandle("JetStream", [&](natsConnection* nc) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = kJetStreamWaitMs;
    jsCtx* raw = nullptr;
    const natsStatus status = natsConnection_JetStream(&raw, nc, &options);
    const JetStream context(raw);
    if (status == NATS_OK) {
      result = use(raw);
    }
    return status;
  }));
  return result;
}

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

namespace {

// $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>, newer servers put <domain>.<account> before the
// stream and more tokens at the end.
struct AckSubject {
  std::uint64_t deliveries = 0;
  std::uint64_t stream_sequence = 0;
};

constexpr std::size_t kTokensOld = 9;
constexpr std::size_t kTokensNew = 11;
constexpr std::size_t kTokensMax = 16;
constexpr std::size_t kDeliveriesOld = 4;

bool readNumber(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

base::Result<AckSubject> readAckSubject(std::string_view subject) {
  std::array<std::string_view, kTokensMax> tokens;
  std::size_t count = 0;
  while (count < kTokensMax && !subject.empty()) {
    const auto dot = subject.find('.');
    tokens[count++] = subject.substr(0, dot);
    subject = dot == std::string_view::npos ? std::string_view{} : subject.substr(dot + 1);
  }
  AckSubject ack;
  if (count < kTokensOld || (count > kTokensOld && count < kTokensNew) || tokens[0] != "$JS" || tokens[1] != "ACK") {
    return base::fail(base::ErrorCode::kInvalid, "not an acknowledgement subject");
  }
  const std::size_t at = count == kTokensOld ? kDeliveriesOld : kDeliveriesOld + 2;
  if (!readNumber(tokens[at], ack.deliveries) || !readNumber(tokens[at + 1], ack.stream_sequence)) {
    return base::fail(base::ErrorCode::kInvalid, "not an acknowledgement subject");
  }
  return ack;
}

}  // namespace

struct Record::State {
  std::weak_ptr<Connection::State> connection;
  std::string subject;
  std::string data;
  std::string reply_to;
  AckSubject ack;

  void acknowledge() const {
    if (const auto target = connection.lock()) {
      // A lost acknowledgement means another delivery, which the consumer must take anyway.
      static_cast<void>(target->withHandle("acknowledge",
                                           [&](natsConnection* nc) { return natsConnection_PublishString(nc, reply_to.c_str(), "+ACK"); }));
    }
  }
};

Record::Record(std::shared_ptr<State> state) : state_(std::move(state)) {}
std::string_view Record::subject() const {
  return state_->subject;
}
std::string_view Record::data() const {
  return state_->data;
}
std::uint64_t Record::streamSequence() const {
  return state_->ack.stream_sequence;
}
std::uint64_t Record::deliveries() const {
  return state_->ack.deliveries;
}
void Record::ack() const {
  state_->acknowledge();
}

struct RecordConsumer::State {
  Connection& connection;
  std::string durable;
  Subscription subscription;
};

RecordConsumer::RecordConsumer(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordConsumer::~RecordConsumer() = default;

base::Result<std::unique_ptr<RecordConsumer>> RecordConsumer::open(Connection& connection, std::string_view durable,
                                                                   std::function<void(Record)> handler) {
  const std::weak_ptr<Connection::State> weak = connection.state().weak_from_this();
  TG_TRY_ASSIGN(subscription,
                connection.subscribe(subjects::deliver(durable), durable, [weak, handler = std::move(handler)](const Delivery& delivery) {
                  auto ack = readAckSubject(delivery.reply_to);
                  if (!ack) {
                    telemetry::warn("not a record", {{"subject", delivery.subject}});
                    return;
                  }
                  handler(Record(std::make_shared<Record::State>(Record::State{
                      weak, std::string(delivery.subject), std::string(delivery.data), std::string(delivery.reply_to), *ack})));
                }));
  return std::unique_ptr<RecordConsumer>(
      new RecordConsumer(std::make_unique<State>(State{connection, std::string(durable), std::move(subscription)})));
}

base::Result<ConsumerProgress> RecordConsumer::progress() const {
  ConsumerProgress progress;
  TG_TRY(withJetStream(state_->connection.state(), [&](jsCtx* context) -> base::Result<void> {
    jsErrCode code = static_cast<jsErrCode>(0);
    jsStreamInfo* raw_stream = nullptr;
    natsStatus status = js_GetStreamInfo(&raw_stream, context, subjects::kRecordStream.data(), nullptr, &code);
    const JetStreamInfo stream(raw_stream);
    if (status != NATS_OK) {
      return tl::unexpected(jetStreamError(status, code, "stream CALL_EVENTS"));
    }
    jsConsumerInfo* raw_consumer = nullptr;
    status = js_GetConsumerInfo(&raw_consumer, context, subjects::kRecordStream.data(), state_->durable.c_str(), nullptr, &code);
    const JetConsumerInfo consumer(raw_consumer);
    if (status != NATS_OK) {
      return tl::unexpected(jetStreamError(status, code, "consumer " + state_->durable));
    }
    progress.stream_last_sequence = stream->State.LastSeq;
    progress.pending = consumer->NumPending + static_cast<std::uint64_t>(consumer->NumAckPending);
    // Asked after the stream: with nothing pending, all the stream had then is acknowledged (or has aged out unread).
    progress.acked_floor_sequence =
        progress.pending == 0 ? std::max(consumer->AckFloor.Stream, stream->State.LastSeq) : consumer->AckFloor.Stream;
    return {};
  }));
  return progress;
}

namespace {

// {"stream":"CALL_EVENTS", "seq":42} or with "duplicate": true, or {"error":{...}}. The first form needs no parser.
std::optional<std::uint64_t> readPlainAck(std::string_view data) {
  constexpr std::string_view kStart = R"({"stream":"CALL_EVENTS", "seq":)";
  if (!data.starts_with(kStart)) {
    return std::nullopt;
  }
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(data.data() + kStart.size(), data.data() + data.size(), sequence);
  if (error != std::errc{} || end == data.data() + data.size() || (*end != '}' && *end != ',')) {
    return std::nullopt;
  }
  return sequence;
}

base::Result<std::uint64_t> readAck(std::string_view data) {
  if (const auto sequence = readPlainAck(data)) {
    return *sequence;
  }
  const auto ack = nlohmann::json::parse(data, nullptr, false);
  if (!ack.is_object()) {
    return base::fail(base::ErrorCode::kInternal, "unreadable acknowledgement of a record");
  }
  if (const auto error = ack.find("error"); error != ack.end()) {
    const std::string text = error->is_object() ? error->value("description", std::string("no description")) : "no description";
    return base::fail(base::ErrorCode::kUnavailable, "the stream refuses the record: " + text);
  }
  const auto sequence = ack.find("seq");
  if (sequence == ack.end() || !sequence->is_number_unsigned()) {
    return base::fail(base::ErrorCode::kInternal, "acknowledgement of a record without a sequence");
  }
  return sequence->get<std::uint64_t>();
}

}  // namespace

struct RecordPublisher::State {
  // Passed in.
  Connection& connection;
  std::chrono::milliseconds ack_timeout;

  // Owned.
  std::shared_ptr<ReplyInbox> inbox;
};

RecordPublisher::RecordPublisher(Connection& connection, std::chrono::milliseconds ack_timeout)
    : state_(std::make_unique<State>(State{connection, ack_timeout, ReplyInbox::make(connection)})) {}

RecordPublisher::~RecordPublisher() {
  state_->inbox->close();
}

void RecordPublisher::publish(std::string_view subject, std::string_view message_id, std::string_view data,
                              std::function<void(base::Result<std::uint64_t> stream_sequence)> done) {
  if (!state_->connection.isConnected()) {  // not into the reconnect buffer: nobody would wait for the acknowledgement
    done(base::fail(base::ErrorCode::kUnavailable, "not connected to the bus"));
    return;
  }
  const auto deadline = std::chrono::steady_clock::now() + state_->ack_timeout;
  const std::uint64_t id = state_->inbox->expect(deadline, [done = std::move(done)](base::Result<std::string_view> reply) {
    if (reply) {
      done(readAck(*reply));
    } else {
      done(tl::unexpected(std::move(reply.error())));
    }
  });
  const auto published = state_->connection.publishRecord(subject, state_->inbox->subjectFor(id), message_id, data);
  if (!published) {
    state_->inbox->fail(id, published.error());
  }
}

}  // namespace tollgate::bus
