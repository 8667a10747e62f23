#include <algorithm>
#include <utility>

#include "libs/bus/connection.hpp"
#include "libs/bus/connection_state.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::bus {
namespace {

using Subscriptions = CallbackRegistry<Subscription::State>;

constexpr std::int64_t kDrainMs = 2000;  // longer than a handler may take; a lost server must not hold the caller for long

void onMessage(natsConnection* /*handle*/, natsSubscription* /*subscription*/, natsMsg* raw, void* closure) noexcept {
  const NatsMessage message(raw);
  const auto state = Subscriptions::instance().find(closure);
  if (state && raw != nullptr) {
    state->deliver(raw);
  }
}

}  // namespace

void Subscription::State::deliver(natsMsg* message) {
  const std::lock_guard lock(gate);
  if (closed) {
    return;
  }
  const char* reply_to = natsMsg_GetReply(message);
  Delivery delivery;
  delivery.subject = natsMsg_GetSubject(message);
  delivery.data = {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))};
  delivery.reply_to = reply_to == nullptr ? std::string_view{} : std::string_view{reply_to};
  const char* status = nullptr;
  if (delivery.data.empty() && natsMsgHeader_Get(message, "Status", &status) == NATS_OK) {
    delivery.status = status;
  }
  delivery.no_responders = natsMsg_IsNoResponders(message);
  running_in = std::this_thread::get_id();
  try {
    handler(delivery);
  } catch (const std::exception& error) {
    telemetry::error("bus handler threw", {{"subject", subject}, {"error", error.what()}});
  }
  running_in = std::thread::id{};
}

// The order matters. First the connection forgets the subscription, so that no rebuild attaches it again. Then the server stops sending and
// what was received is handled. Then the handle is destroyed, and a handler that still runs is waited for. Last, late callbacks find
// nothing.
void Subscription::State::close() {
  NatsSubscription mine;
  bool connected = false;
  if (const auto owner = connection.lock()) {
    const std::lock_guard lock(owner->subscriptions_mutex);
    mine = std::move(native);
    connected = owner->connected;
    std::erase_if(owner->subscriptions, [this](const auto& weak) {
      const auto other = weak.lock();
      return !other || other.get() == this;
    });
  }
  // A handler may end its own subscription; it cannot wait for itself.
  const bool inside = running_in == std::this_thread::get_id();
  // The library may crash when a message meets a subscription that is being destroyed: first make the server stop sending.
  if (mine && connected && !inside && natsSubscription_DrainTimeout(mine.get(), kDrainMs) == NATS_OK) {
    static_cast<void>(natsSubscription_WaitForDrainCompletion(mine.get(), kDrainMs + kDrainMs / 2));
  }
  mine.reset();
  if (inside) {
    closed = true;  // this thread holds the gate
  } else {
    const std::lock_guard lock(gate);
    closed = true;
  }
  Subscriptions::instance().remove(closure);
}

natsStatus Connection::State::attach(Subscription::State& subscription) {
  const std::shared_lock lock(handle_mutex);
  if (!handle) {
    return NATS_OK;  // the rebuild attaches it
  }
  natsSubscription* raw = nullptr;
  const natsStatus status =
      subscription.queue.empty()
          ? natsConnection_Subscribe(&raw, handle.get(), subscription.subject.c_str(), onMessage, subscription.closure)
          : natsConnection_QueueSubscribe(&raw, handle.get(), subscription.subject.c_str(), subscription.queue.c_str(), onMessage,
                                          subscription.closure);
  subscription.native.reset(raw);
  return status;
}

Subscription::Subscription(std::shared_ptr<State> state) : state_(std::move(state)) {}

Subscription::Subscription(Subscription&&) noexcept = default;

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    if (state_) {
      state_->close();
    }
    state_ = std::move(other.state_);
  }
  return *this;
}

Subscription::~Subscription() {
  if (state_) {
    state_->close();
  }
}

std::uint64_t Subscription::waiting() const {
  const auto owner = state_ ? state_->connection.lock() : nullptr;
  if (!owner) {
    return 0;
  }
  const std::lock_guard lock(owner->subscriptions_mutex);
  int messages = 0;
  int bytes = 0;
  if (!state_->native || natsSubscription_GetPending(state_->native.get(), &messages, &bytes) != NATS_OK) {
    return 0;  // the connection is being rebuilt
  }
  return static_cast<std::uint64_t>(messages);
}

base::Result<Subscription> Connection::subscribe(std::string_view subject, std::string_view queue,
                                                 std::function<void(const Delivery&)> handler) {
  auto subscription = std::make_shared<Subscription::State>();
  subscription->connection = state_;
  subscription->subject = subject;
  subscription->queue = queue;
  subscription->handler = std::move(handler);
  subscription->closure = Subscriptions::instance().add(subscription);
  const std::lock_guard lock(state_->subscriptions_mutex);
  const natsStatus status = state_->attach(*subscription);
  if (status != NATS_OK && status != NATS_CONNECTION_CLOSED) {
    Subscriptions::instance().remove(subscription->closure);
    return tl::unexpected(natsError(status, "subscribe to " + subscription->subject));
  }
  state_->subscriptions.push_back(subscription);
  return Subscription(std::move(subscription));
}

}  // namespace tollgate::bus
