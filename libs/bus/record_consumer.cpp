#include <array>
#include <charconv>
#include <utility>

#include "libs/bus/jetstream.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
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

  void answer(std::string_view word) const {
    if (const auto target = connection.lock()) {
      // A lost acknowledgement means another delivery, which the consumer must take anyway.
      static_cast<void>(target->withHandle("acknowledge", [&](natsConnection* nc) {
        return natsConnection_Publish(nc, reply_to.c_str(), word.data(), static_cast<int>(word.size()));
      }));
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
  state_->answer("+ACK");
}
void Record::nak() const {
  state_->answer("-NAK");
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

}  // namespace tollgate::bus
