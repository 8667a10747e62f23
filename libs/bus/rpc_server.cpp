#include <atomic>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/telemetry/log.hpp"
#include "libs/wire/wire.hpp"
#include "tollgate/bus/v1/rpc.pb.h"

namespace tollgate::bus {

struct RpcServer::State {
  // Passed in.
  std::shared_mutex mutex;           // shared while a reply is sent
  Connection* connection = nullptr;  // nullptr once the server is gone

  // Owned.
  std::vector<Subscription> subscriptions;

  void countLate(int requests) const {
    if (connection != nullptr) {
      connection->metrics().late_requests.add(requests);
    }
  }

  void onRequest(const std::shared_ptr<State>& self, const RawHandler& handler, const Delivery& delivery);
};

// The requests of one message; what was answered is sent when the last responder is done.
class RawResponder::Batch {
 public:
  Batch(std::shared_ptr<RpcServer::State> server, std::string_view reply_to, std::chrono::system_clock::time_point deadline, int size)
      : server_(std::move(server)), reply_to_(reply_to), deadline_(deadline), left_(size) {
    for (int i = 0; i < size; ++i) {
      replies_.add_items();
    }
  }

  // Each index is written by one responder only, so the items need no lock; left_ orders the writes before the send.
  [[nodiscard]] v1::ReplyItem& item(std::size_t index) { return *replies_.mutable_items(static_cast<int>(index)); }

  void oneDone() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      send();
    }
  }

 private:
  void send() {
    if (reply_to_.empty()) {
      return;
    }
    if (std::chrono::system_clock::now() > deadline_) {
      const std::shared_lock lock(server_->mutex);
      server_->countLate(replies_.items_size());
      return;
    }
    const std::string encoded = replies_.SerializeAsString();
    const std::shared_lock lock(server_->mutex);
    if (server_->connection == nullptr) {
      return;
    }
    if (const auto sent = server_->connection->publish(reply_to_, encoded); !sent) {
      telemetry::warn("reply not sent", {{"error", sent.error().message}});
    }
  }

  // Passed in.
  std::shared_ptr<RpcServer::State> server_;  // shared with the server and its other batches; responders may outlive the server
  std::string reply_to_;
  std::chrono::system_clock::time_point deadline_;

  // Derived.
  v1::ReplyBatch replies_;
  std::atomic<int> left_;
};

RawResponder::RawResponder(std::shared_ptr<Batch> batch, std::size_t index) : batch_(std::move(batch)), index_(index) {}

RawResponder::RawResponder(RawResponder&&) noexcept = default;

RawResponder& RawResponder::operator=(RawResponder&& other) noexcept {
  if (this != &other) {
    fail({base::ErrorCode::kInternal, "the service dropped the request"});
    batch_ = std::move(other.batch_);
    index_ = other.index_;
  }
  return *this;
}

RawResponder::~RawResponder() {
  fail({base::ErrorCode::kInternal, "the service dropped the request"});
}

void RawResponder::reply(std::string body) {
  if (const auto batch = std::exchange(batch_, nullptr)) {
    batch->item(index_).set_body(std::move(body));
    batch->oneDone();
  }
}

void RawResponder::fail(const base::Error& error) {
  if (const auto batch = std::exchange(batch_, nullptr)) {
    auto& wire_error = *batch->item(index_).mutable_error();
    wire_error.set_code(static_cast<v1::RpcErrorCode>(error.code));  // same numbers: RpcError.CodesAreThoseOfTheProto
    wire_error.set_message(error.message);
    batch->oneDone();
  }
}

void RpcServer::State::onRequest(const std::shared_ptr<State>& self, const RawHandler& handler, const Delivery& delivery) {
  thread_local v1::RequestBatch request;  // kept so that its memory is used again; handlers do not block, so one a thread is enough
  if (!request.ParseFromArray(delivery.data.data(), static_cast<int>(delivery.data.size())) || request.items_size() == 0) {
    telemetry::warn("unreadable request", {{"subject", delivery.subject}});
    return;
  }
  const std::chrono::system_clock::time_point deadline = wire::fromWire(request.deadline());
  if (std::chrono::system_clock::now() > deadline) {
    const std::shared_lock lock(mutex);
    countLate(request.items_size());
    return;
  }
  const auto batch = std::make_shared<RawResponder::Batch>(self, delivery.reply_to, deadline, request.items_size());
  for (int i = 0; i < request.items_size(); ++i) {
    const auto& item = request.items(i);
    handler(RpcContext{item.call_id(), deadline}, item.body(), RawResponder(batch, static_cast<std::size_t>(i)));
  }
}

RpcServer::RpcServer(Connection& connection) : state_(std::make_shared<State>()) {
  state_->connection = &connection;
}

RpcServer::~RpcServer() {
  // Responders may outlive the server; without a connection they send nothing.
  state_->subscriptions.clear();  // drains: what was received is still handled
  const std::unique_lock lock(state_->mutex);
  state_->connection = nullptr;
}

base::Result<void> RpcServer::serveRaw(std::string_view queue, std::string_view subject, RawHandler handler) {
  const std::weak_ptr<State> weak = state_;
  auto subscription = state_->connection->subscribe(subject, queue, [weak, handler = std::move(handler)](const Delivery& delivery) {
    if (const auto state = weak.lock()) {
      state->onRequest(state, handler, delivery);
    }
  });
  if (!subscription) {
    return tl::unexpected(std::move(subscription.error()));
  }
  state_->subscriptions.push_back(std::move(*subscription));
  return {};
}

}  // namespace tollgate::bus
