#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "libs/base/random.hpp"
#include "libs/bus/connection_state.hpp"
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
  std::uint64_t epoch = 0;  // Connection::State::record_epoch when it was delivered

  void acknowledge() const {
    const auto target = connection.lock();
    // After a loss of the connection it may be another stream, in which this sequence is another record: that one would be acknowledged.
    if (!target || target->record_epoch != epoch) {
      return;
    }
    // A lost acknowledgement means another delivery, which the consumer must take anyway.
    static_cast<void>(
        target->withHandle("acknowledge", [&](natsConnection* nc) { return natsConnection_PublishString(nc, reply_to.c_str(), "+ACK"); }));
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
std::uint64_t Record::epoch() const {
  return state_->epoch;
}
void Record::ack() const {
  state_->acknowledge();
}

// Nothing when the message is no record.
std::optional<Record> Record::fromDelivery(const std::weak_ptr<Connection::State>& connection, const Delivery& delivery) {
  const auto source = connection.lock();
  auto ack = readAckSubject(delivery.reply_to);
  if (!source || !ack) {
    telemetry::warn("not a record", {{"subject", delivery.subject}});
    return std::nullopt;
  }
  return Record(std::make_shared<State>(State{connection, std::string(delivery.subject), std::string(delivery.data),
                                              std::string(delivery.reply_to), *ack, source->record_epoch}));
}

void forgetDeliveries(Connection& connection) {
  ++connection.state().record_epoch;
}

struct RecordConsumer::State {
  Subscription subscription;
};

RecordConsumer::RecordConsumer(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordConsumer::~RecordConsumer() = default;

base::Result<std::unique_ptr<RecordConsumer>> RecordConsumer::open(Connection& connection, std::function<void(Record)> handler) {
  const std::weak_ptr<Connection::State> weak = connection.state().weak_from_this();
  TG_TRY_ASSIGN(subscription, connection.subscribe(subjects::deliver(kSlotsConsumer), kSlotsConsumer,
                                                   [weak, handler = std::move(handler)](const Delivery& delivery) {
                                                     if (auto record = Record::fromDelivery(weak, delivery)) {
                                                       handler(std::move(*record));
                                                     }
                                                   }));
  return std::unique_ptr<RecordConsumer>(new RecordConsumer(std::make_unique<State>(State{std::move(subscription)})));
}

// Asks the server for records by its own protocol: the library's fetch writes beyond its buffer (libs/bus/TRAPS.md 2.9). One request is
// open at a time, so there are never more records here than the largest batch asked for.
struct RecordFetcher::State : std::enable_shared_from_this<RecordFetcher::State> {
  using Time = std::chrono::steady_clock::time_point;
  struct Arrived {
    Record record;
    Time at;
  };

  // Passed in.
  Connection& connection;
  std::chrono::milliseconds keep;  // the server delivers a record again after this time, so an older one is not handed out

  // Owned.
  std::string inbox;  // with the last dot; the number of the request follows
  std::optional<Subscription> subscription;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Arrived> queue;
  std::size_t wanted = 0;  // of the fetch that waits
  bool is_interrupted = false;
  std::uint64_t request = 0;  // the last one
  std::size_t credit = 0;     // records that may still come for it
  Time open_until{};          // then the server has forgotten it
  Time next_request{};        // not before: the server has refused the last one

  State(Connection& source, std::chrono::milliseconds ack_wait) : connection(source), keep(ack_wait) {}

  void onDelivery(const Delivery& delivery);
  void onStatus(const Delivery& delivery);
  void ask(std::size_t count, Time now);
  void dropOld(Time now);
};

namespace {

constexpr std::chrono::milliseconds kRequestTime{2000};
constexpr std::chrono::milliseconds kRequestGrace{500};  // for the status that ends it
constexpr std::chrono::milliseconds kRefusedPause{200};
constexpr std::size_t kInboxRandomBytes = 12;

}  // namespace

void RecordFetcher::State::onDelivery(const Delivery& delivery) {
  if (!delivery.status.empty() || delivery.no_responders) {
    onStatus(delivery);
    return;
  }
  auto record = Record::fromDelivery(connection.state().weak_from_this(), delivery);
  if (!record) {
    return;
  }
  bool is_wake_due = false;  // the first starts the gathering, the last wanted ends it
  {
    const std::lock_guard lock(mutex);
    queue.push_back({std::move(*record), std::chrono::steady_clock::now()});
    credit -= std::min<std::size_t>(credit, 1);
    is_wake_due = queue.size() == 1 || queue.size() == wanted || credit == 0;
  }
  if (is_wake_due) {
    changed.notify_one();
  }
}

// 408: the time of the request is over. 409, 503: the consumer is gone, or has too many requests.
void RecordFetcher::State::onStatus(const Delivery& delivery) {
  {
    const std::lock_guard lock(mutex);
    if (delivery.subject != inbox + std::to_string(request)) {
      return;  // of a request before
    }
    credit = 0;
    if (delivery.status != "408" && delivery.status != "404") {
      next_request = std::chrono::steady_clock::now() + kRefusedPause;
    }
  }
  changed.notify_one();
}

void RecordFetcher::State::ask(std::size_t count, Time now) {
  const std::string subject = "$JS.API.CONSUMER.MSG.NEXT." + std::string(subjects::kRecordStream) + "." + std::string(kBooksConsumer);
  const auto expires = std::chrono::duration_cast<std::chrono::nanoseconds>(kRequestTime).count();
  const std::string body = R"({"batch":)" + std::to_string(count) + R"(,"expires":)" + std::to_string(expires) + "}";
  ++request;
  credit = count;
  open_until = now + kRequestTime + kRequestGrace;
  if (!connection.publishRequest(subject, inbox + std::to_string(request), body)) {
    credit = 0;
    next_request = now + kRefusedPause;
  }
}

void RecordFetcher::State::dropOld(Time now) {
  while (!queue.empty() && now - queue.front().at > keep) {
    queue.pop_front();
  }
}

RecordFetcher::RecordFetcher(std::shared_ptr<State> state) : state_(std::move(state)) {}
RecordFetcher::~RecordFetcher() {
  state_->subscription.reset();
}

base::Result<std::unique_ptr<RecordFetcher>> RecordFetcher::open(Connection& connection, std::chrono::milliseconds ack_wait) {
  auto state = std::make_shared<State>(connection, ack_wait);
  base::SystemRandom random;
  state->inbox = "_INBOX." + base::randomHex(random, kInboxRandomBytes) + ".";
  const std::weak_ptr<State> weak = state;
  TG_TRY_ASSIGN(subscription, connection.subscribe(state->inbox + "*", "", [weak](const Delivery& delivery) {
    if (const auto self = weak.lock()) {
      self->onDelivery(delivery);
    }
  }));
  state->subscription = std::move(subscription);
  return std::unique_ptr<RecordFetcher>(new RecordFetcher(std::move(state)));
}

std::vector<Record> RecordFetcher::fetch(std::size_t most, std::chrono::milliseconds gather, std::chrono::milliseconds idle) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const auto end = std::chrono::steady_clock::now() + idle;
  state.wanted = most;
  while (!state.is_interrupted) {
    const auto now = std::chrono::steady_clock::now();
    state.dropOld(now);
    const auto until = state.queue.empty() ? end : std::min(state.queue.front().at + gather, now + gather);
    if (state.queue.size() >= most) {
      break;
    }
    const bool is_open = state.credit > 0 && now < state.open_until;
    if (!is_open && now >= state.next_request && state.connection.isConnected()) {
      state.ask(most - state.queue.size(), now);
    }
    if (now >= until) {
      break;
    }
    state.changed.wait_until(lock, until);
  }
  std::vector<Record> records;
  while (!state.is_interrupted && !state.queue.empty() && records.size() < most) {
    records.push_back(std::move(state.queue.front().record));
    state.queue.pop_front();
  }
  state.wanted = 0;
  return records;
}

void RecordFetcher::interrupt() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_interrupted = true;
  }
  state_->changed.notify_one();
}

}  // namespace tollgate::bus
