#include "libs/bus/connection.hpp"

#include <utility>

#include "libs/base/random.hpp"
#include "libs/bus/connection_state.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

using Connections = CallbackRegistry<Connection::State>;

constexpr int kDeliveryThreads = 4;
constexpr std::int64_t kConnectTimeoutMs = 1000;
constexpr std::int64_t kReconnectWaitMs = 200;
constexpr std::int64_t kReconnectJitterMs = 100;
constexpr std::int64_t kPingIntervalMs = 2000;  // with two pings out a stalled server is noticed within 6 s
constexpr int kPingsOutMax = 2;
// A stalled server must not hold the thread of a call: past this the connection counts as lost.
constexpr std::int64_t kWriteDeadlineMs = 250;
// A request that waited in the buffer of a lost connection would be answered after its asker gave up.
constexpr int kRequestBufferBytes = 32 * 1024;
constexpr int kEventBufferBytes = 8 * 1024 * 1024;
constexpr std::chrono::milliseconds kRebuildWait{500};
constexpr std::int64_t kLastFlushMs = 500;

void onConnectionEvent(natsConnection* /*handle*/, void* closure) noexcept {
  if (const auto state = Connections::instance().find(closure)) {
    state->refreshConnected();
  }
}

void onConnectionClosed(natsConnection* handle, void* closure) noexcept {
  if (const auto state = Connections::instance().find(closure)) {
    state->onClosed(handle);
  }
}

// The subscription may be gone already: it is not looked at.
void onErrorEvent(natsConnection* /*handle*/, natsSubscription* /*subscription*/, natsStatus status, void* closure) noexcept {
  if (const auto state = Connections::instance().find(closure)) {
    state->onError(status);
  }
}

telemetry::Counter& counterOf(const ExportTo& target, ConnectionKind kind, const std::string& noun, std::string_view help) {
  return target.metrics.counter("tollgate_" + std::string(target.service) + "_bus_" + noun + "_total", help,
                                {{"connection", kind == ConnectionKind::kRequests ? "requests" : "events"}});
}

void startLibrary() {
  static const natsStatus status = nats_SetMessageDeliveryPoolSize(kDeliveryThreads);
  static_cast<void>(status);  // without the pool every subscription has a thread of its own: slower, not wrong
}

// All options are set through this, so that one refusal is not lost among twenty calls.
class OptionSetter {
 public:
  void operator()(natsStatus status) {
    if (first_ == NATS_OK) {
      first_ = status;
    }
  }
  [[nodiscard]] natsStatus status() const { return first_; }

 private:
  natsStatus first_ = NATS_OK;
};

}  // namespace

base::Result<NatsOptions> Connection::State::makeOptions() const {
  natsOptions* raw = nullptr;
  if (const natsStatus status = natsOptions_Create(&raw); status != NATS_OK) {
    return tl::unexpected(natsError(status, "bus options"));
  }
  NatsOptions options(raw);
  OptionSetter set;
  set(natsOptions_SetURL(raw, settings.url.c_str()));
  set(natsOptions_SetName(raw, settings.name.c_str()));
  if (!settings.user.empty()) {
    set(natsOptions_SetUserInfo(raw, settings.user.c_str(), settings.password.c_str()));
  }
  if (!settings.ca_file.empty()) {
    set(natsOptions_SetSecure(raw, true));
    set(natsOptions_LoadCATrustedCertificates(raw, settings.ca_file.c_str()));
  }
  const bool requests = kind == ConnectionKind::kRequests;
  set(natsOptions_SetSendAsap(raw, requests));
  set(natsOptions_SetReconnectBufSize(raw, requests ? kRequestBufferBytes : kEventBufferBytes));
  set(natsOptions_SetWriteDeadline(raw, kWriteDeadlineMs));
  set(natsOptions_SetTimeout(raw, kConnectTimeoutMs));
  set(natsOptions_SetMaxReconnect(raw, -1));
  set(natsOptions_SetReconnectWait(raw, kReconnectWaitMs));
  set(natsOptions_SetReconnectJitter(raw, kReconnectJitterMs, kReconnectJitterMs));
  set(natsOptions_SetPingInterval(raw, kPingIntervalMs));
  set(natsOptions_SetMaxPingsOut(raw, kPingsOutMax));
  set(natsOptions_SetFailRequestsOnDisconnect(raw, true));
  set(natsOptions_UseGlobalMessageDelivery(raw, true));
  set(natsOptions_SetRetryOnFailedConnect(raw, true, onConnectionEvent, closure));
  set(natsOptions_SetDisconnectedCB(raw, onConnectionEvent, closure));
  set(natsOptions_SetReconnectedCB(raw, onConnectionEvent, closure));
  set(natsOptions_SetClosedCB(raw, onConnectionClosed, closure));
  set(natsOptions_SetErrorHandler(raw, onErrorEvent, closure));
  if (set.status() != NATS_OK) {
    return base::fail(base::ErrorCode::kInvalid, "bus settings: " + std::string(natsStatus_GetText(set.status())) + " (check the URL " +
                                                     settings.url + " and the CA file)");
  }
  return options;
}

// Makes a new native connection and moves every subscription to it. The old handles are destroyed at the end, outside of the locks: closing
// a native connection waits for threads of the library, which may be in a callback that wants one of these locks.
base::Result<void> Connection::State::connect() {
  TG_TRY_ASSIGN(options, makeOptions());
  natsConnection* raw = nullptr;
  const natsStatus status = natsConnection_Connect(&raw, options.get());
  NatsConnection fresh(raw);
  if (status != NATS_OK && status != NATS_NOT_YET_CONNECTED) {
    return tl::unexpected(natsError(status, "bus connection"));
  }
  std::vector<NatsSubscription> old_subscriptions;
  {
    const std::lock_guard lock(subscriptions_mutex);
    {
      const std::unique_lock swap_lock(handle_mutex);
      handle.swap(fresh);
    }
    for (const auto& weak : subscriptions) {
      if (const auto subscription = weak.lock()) {
        old_subscriptions.push_back(std::move(subscription->native));
        static_cast<void>(attach(*subscription));  // fails only when closed again, which wants another rebuild below
      }
    }
  }
  refreshConnected();
  const std::shared_lock lock(handle_mutex);
  if (natsConnection_IsClosed(handle.get())) {
    rebuild_wanted = true;
    maintainer.wake();
  }
  return {};
}

// The state is read from the library under change_mutex: callbacks come on several threads, and handlers must hear the changes in order.
void Connection::State::refreshConnected() {
  const std::lock_guard order(change_mutex);
  if (is_shut) {
    return;
  }
  bool now = false;
  {
    const std::shared_lock lock(handle_mutex);
    now = handle && natsConnection_Status(handle.get()) == NATS_CONN_STATUS_CONNECTED;
  }
  if (connected.exchange(now) == now) {
    return;
  }
  if (now) {
    telemetry::info("bus connected", {{"connection", settings.name}});
  } else {
    ++record_epoch;
    metrics->losses.add();
    telemetry::warn("bus connection lost", {{"connection", settings.name}});
  }
  for (const auto& handler : change_handlers) {
    handler(now);
  }
}

// Errors may still come after the closed callback (libs/bus/TRAPS.md 2.16).
void Connection::State::onError(natsStatus status) {
  const std::lock_guard order(change_mutex);
  if (is_shut) {
    return;
  }
  metrics->errors.add();
  telemetry::warn("bus error", {{"connection", settings.name}, {"error", natsStatus_GetText(status)}});
}

// The library gives a connection up for good after two refused log-ins in a row (libs/bus/TRAPS.md 2.8). A rebuild cannot run here, on the
// library's own callback thread, so the maintainer does it. `closed` is an old connection when a rebuild has just replaced it.
void Connection::State::onClosed(natsConnection* closed) {
  refreshConnected();
  {
    const std::shared_lock lock(handle_mutex);
    if (handle.get() != closed) {
      return;
    }
  }
  rebuild_wanted = true;
  maintainer.wake();
}

void Connection::State::maintain() {
  while (rebuild_wanted || maintainer.wait()) {
    if (!rebuild_wanted) {
      continue;  // a wake for a rebuild that has been done since
    }
    // A pause before each rebuild, so that refused credentials do not become a storm of log-ins.
    if (!maintainer.pauseFor(kRebuildWait)) {
      return;
    }
    rebuild_wanted = false;
    metrics->rebuilds.add();
    if (const auto result = connect(); !result) {
      telemetry::warn("bus connection refused", {{"connection", settings.name}, {"error", result.error().message}});
      rebuild_wanted = true;
    }
  }
}

// The order matters: no rebuild any more, then the events still buffered go out, then callbacks find nothing, then a callback that found
// this object before is waited for, because it uses metrics and handlers of the owner. The native connection is closed last.
void Connection::State::shutDown() {
  maintainer.stop();
  if (kind == ConnectionKind::kEvents && connected) {
    static_cast<void>(withHandle("flush", [](natsConnection* nc) { return natsConnection_FlushTimeout(nc, kLastFlushMs); }));
  }
  Connections::instance().remove(closure);
  std::vector<std::function<void(bool)>> handlers;  // destroyed without the lock
  {
    const std::lock_guard order(change_mutex);
    is_shut = true;
    handlers.swap(change_handlers);
  }
  NatsConnection last;
  std::vector<NatsSubscription> natives;
  {
    const std::lock_guard lock(subscriptions_mutex);
    const std::unique_lock swap_lock(handle_mutex);
    last = std::move(handle);
    for (const auto& weak : subscriptions) {
      if (const auto subscription = weak.lock()) {
        natives.push_back(std::move(subscription->native));
      }
    }
    subscriptions.clear();
  }
  connected = false;
  last.reset();  // closes; the subscriptions are destroyed after it, when nothing can be delivered to them
}

ConnectionMetrics::ConnectionMetrics(const ExportTo& target, ConnectionKind kind)
    : losses(counterOf(target, kind, "losses", "times a connection to the bus was lost")),
      rebuilds(counterOf(target, kind, "rebuilds", "times a connection to the bus was made anew")),
      errors(counterOf(target, kind, "errors", "slow consumers and permission violations on the bus")),
      late_requests(counterOf(target, kind, "late_requests", "requests from the bus read or answered too late, and dropped")) {}

Connection::Connection(std::shared_ptr<State> state) : state_(std::move(state)) {}

Connection::~Connection() {
  state_->shutDown();
}

base::Result<std::unique_ptr<Connection>> Connection::open(const ConnectionSettings& settings, ConnectionKind kind,
                                                           std::optional<ExportTo> metrics) {
  startLibrary();
  auto state = std::make_shared<State>();
  if (!metrics) {
    state->own_metrics = std::make_unique<telemetry::Metrics>();
  }
  state->metrics.emplace(metrics ? *metrics : ExportTo{*state->own_metrics, "unnamed"}, kind);
  state->settings = settings;
  state->kind = kind;
  state->closure = Connections::instance().add(state);
  if (const auto connected = state->connect(); !connected) {
    if (connected.error().code == base::ErrorCode::kInvalid) {
      Connections::instance().remove(state->closure);
      return tl::unexpected(connected.error());
    }
    telemetry::warn("bus connection refused", {{"connection", settings.name}, {"error", connected.error().message}});
    state->rebuild_wanted = true;
  }
  state->maintainer.start("bus_maintainer", [raw = state.get()] { raw->maintain(); });
  return std::unique_ptr<Connection>(new Connection(std::move(state)));  // the constructor is private
}

const ConnectionMetrics& Connection::metrics() const {
  return *state_->metrics;
}

bool Connection::isConnected() const {
  return state_->connected.load(std::memory_order_relaxed);
}

void Connection::onChange(std::function<void(bool connected)> handler) {
  const std::lock_guard lock(state_->change_mutex);
  state_->change_handlers.push_back(std::move(handler));
}

base::Result<void> Connection::publish(std::string_view subject, std::string_view data) {
  const std::string subject_text(subject);
  return state_->withHandle("publish", [&](natsConnection* nc) {
    return natsConnection_Publish(nc, subject_text.c_str(), data.data(), static_cast<int>(data.size()));
  });
}

base::Result<void> Connection::publishRequest(std::string_view subject, std::string_view reply_to, std::string_view data) {
  const std::string subject_text(subject);
  const std::string reply_text(reply_to);
  return state_->withHandle("request", [&](natsConnection* nc) {
    return natsConnection_PublishRequest(nc, subject_text.c_str(), reply_text.c_str(), data.data(), static_cast<int>(data.size()));
  });
}

base::Result<void> Connection::publishRecord(std::string_view subject, std::string_view reply_to, std::string_view message_id,
                                             std::string_view data) {
  const std::string subject_text(subject);
  const std::string reply_text(reply_to);
  const std::string id_text(message_id);
  natsMsg* raw = nullptr;
  natsStatus status = natsMsg_Create(&raw, subject_text.c_str(), reply_text.c_str(), data.data(), static_cast<int>(data.size()));
  const NatsMessage message(raw);
  if (status == NATS_OK) {
    status = natsMsgHeader_Set(raw, "Nats-Msg-Id", id_text.c_str());
  }
  if (status != NATS_OK) {
    return tl::unexpected(natsError(status, "record"));
  }
  return state_->withHandle("record", [&](natsConnection* nc) { return natsConnection_PublishMsg(nc, raw); });
}

base::Result<void> Connection::flush(std::chrono::milliseconds timeout) {
  return state_->withHandle("flush", [&](natsConnection* nc) { return natsConnection_FlushTimeout(nc, timeout.count()); });
}

}  // namespace tollgate::bus
