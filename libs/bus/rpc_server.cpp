#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/arrivals.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/telemetry/log.hpp"
#include "tollgate/bus/v1/rpc.pb.h"

namespace tollgate::bus {

namespace {

// How often the server counts what was received: often enough against the time-outs of calls (0.5 s), and too seldom to cost anything.
constexpr std::chrono::milliseconds kCountPeriod{250};
constexpr std::chrono::milliseconds kOverdue{100};
constexpr std::chrono::milliseconds kPongMax{500};
constexpr std::chrono::seconds kLateWarningPeriod{1};

}  // namespace

// One subject that is served.
class RpcServer::Served {
 public:
  Served(std::string_view subject, RawHandler handler) : subject_(subject), handler_(std::move(handler)) {}

  [[nodiscard]] const std::string& subject() const { return subject_; }
  [[nodiscard]] const RawHandler& handler() const { return handler_; }
  [[nodiscard]] Arrivals& arrivals() { return arrivals_; }

  // Warns of late requests, at most once a period.
  void warnOfLate(int requests) {
    const auto now = std::chrono::steady_clock::now();
    std::int64_t unsaid = 0;
    {
      const std::lock_guard lock(mutex_);
      late_unsaid_ += requests;
      if (now < next_warning_) {
        return;
      }
      next_warning_ = now + kLateWarningPeriod;
      unsaid = std::exchange(late_unsaid_, 0);
    }
    telemetry::warn("requests too late to be answered", {{"subject", subject_}, {"requests", unsaid}});
  }

 private:
  // Passed in.
  const std::string subject_;
  const RawHandler handler_;
  // Derived.
  Arrivals arrivals_{kCountPeriod};
  std::mutex mutex_;  // guards the rest
  std::int64_t late_unsaid_ = 0;
  std::chrono::steady_clock::time_point next_warning_;
};

struct RpcServer::State {
  // Passed in.
  std::shared_mutex mutex;           // shared while a reply is sent
  Connection* connection = nullptr;  // nullptr once the server is gone

  // Owned.
  struct Subscribed {
    std::shared_ptr<Served> served;
    Subscription subscription;
  };
  std::mutex subscribed_mutex;
  std::vector<Subscribed> subscribed;
  base::Worker watcher;  // last: its thread uses the rest

  void noteLate(Served& served, int requests) {
    {
      const std::shared_lock lock(mutex);
      if (connection != nullptr) {
        connection->metrics().late_requests.add(requests);
      }
    }
    served.warnOfLate(requests);
  }

  void onRequest(const std::shared_ptr<State>& self, const std::shared_ptr<Served>& served, const Delivery& delivery);
  void watchArrivals(Connection& bus);
};

// The requests of one message; what was answered is sent when the last responder is done.
class RawResponder::Batch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Batch(std::shared_ptr<RpcServer::State> server, std::shared_ptr<RpcServer::Served> served, std::string_view reply_to, Time deadline,
        int size)
      : server_(std::move(server)),
        served_(std::move(served)),
        reply_to_(reply_to),
        deadline_(deadline),
        undos_(static_cast<std::size_t>(size)),
        left_(size) {
    for (int i = 0; i < size; ++i) {
      replies_.add_items();
    }
  }

  // Each index is written by one responder only, so the items need no lock; left_ orders the writes before the send.
  [[nodiscard]] v1::ReplyItem& item(std::size_t index) { return *replies_.mutable_items(static_cast<int>(index)); }
  void setUndo(std::size_t index, std::function<void()> undo) { undos_[index] = std::move(undo); }

  void oneDone() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1 || reply_to_.empty() || send()) {
      return;
    }
    for (const auto& undo : undos_) {
      if (undo) {
        undo();
      }
    }
  }

 private:
  // False: nobody gets the answers.
  [[nodiscard]] bool send() {
    if (std::chrono::steady_clock::now() > deadline_) {
      server_->noteLate(*served_, replies_.items_size());
      return false;
    }
    const std::string encoded = replies_.SerializeAsString();
    const std::shared_lock lock(server_->mutex);
    if (server_->connection == nullptr) {
      return false;
    }
    if (const auto sent = server_->connection->publish(reply_to_, encoded); !sent) {
      telemetry::warn("reply not sent", {{"subject", served_->subject()}, {"error", sent.error().message}});
      return false;
    }
    return true;
  }

  // Passed in.
  std::shared_ptr<RpcServer::State> server_;   // shared with the server and its other batches; responders may outlive the server
  std::shared_ptr<RpcServer::Served> served_;  // shared with the server and its other batches
  std::string reply_to_;
  Time deadline_;

  // Derived.
  v1::ReplyBatch replies_;
  std::vector<std::function<void()>> undos_;  // one an item; empty: nothing to undo
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

void RawResponder::reply(std::string body, std::function<void()> undo) {
  if (const auto batch = std::exchange(batch_, nullptr)) {
    batch->item(index_).set_body(std::move(body));
    if (undo) {
      batch->setUndo(index_, std::move(undo));
    }
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

void RpcServer::State::onRequest(const std::shared_ptr<State>& self, const std::shared_ptr<Served>& served, const Delivery& delivery) {
  thread_local v1::RequestBatch request;  // kept so that its memory is used again; handlers do not block, so one a thread is enough
  const auto now = std::chrono::steady_clock::now();
  const auto arrived = served->arrivals().take(now);
  if (!request.ParseFromArray(delivery.data.data(), static_cast<int>(delivery.data.size())) || request.items_size() == 0) {
    telemetry::warn("unreadable request", {{"subject", delivery.subject}});
    return;
  }
  const auto deadline = arrived + std::chrono::milliseconds(request.budget_ms());
  if (now >= deadline) {
    noteLate(*served, request.items_size());
    return;
  }
  const auto batch = std::make_shared<RawResponder::Batch>(self, served, delivery.reply_to, deadline, request.items_size());
  for (int i = 0; i < request.items_size(); ++i) {
    const auto& item = request.items(i);
    served->handler()(RpcContext{item.call_id(), deadline}, item.body(), RawResponder(batch, static_cast<std::size_t>(i)));
  }
}

// While the PONG does not come nothing is counted, so messages that were held up are dated by the last count before it.
void RpcServer::State::watchArrivals(Connection& bus) {
  auto due = std::chrono::steady_clock::now();
  bool was_held_up = false;
  do {
    const auto now = std::chrono::steady_clock::now();
    was_held_up = was_held_up || now > due + kOverdue;
    due = now + kCountPeriod;
    if (was_held_up) {
      if (!bus.flush(kPongMax)) {
        continue;
      }
      was_held_up = false;
      due = std::chrono::steady_clock::now() + kCountPeriod;
    }
    const std::lock_guard lock(subscribed_mutex);
    for (const Subscribed& each : subscribed) {
      each.served->arrivals().count(now, each.subscription.waiting());
    }
  } while (watcher.waitFor(kCountPeriod));
}

RpcServer::RpcServer(Connection& connection) : state_(std::make_shared<State>()) {
  state_->connection = &connection;
  state_->watcher.start("bus_arrivals", [state = state_.get(), &connection] { state->watchArrivals(connection); });
}

RpcServer::~RpcServer() {
  state_->watcher.stop();
  // Responders may outlive the server; without a connection they send nothing.
  state_->subscribed.clear();  // drains: what was received is still handled
  const std::unique_lock lock(state_->mutex);
  state_->connection = nullptr;
}

base::Result<void> RpcServer::serveRaw(std::string_view queue, std::string_view subject, RawHandler handler) {
  const std::weak_ptr<State> weak = state_;
  auto served = std::make_shared<Served>(subject, std::move(handler));
  served->arrivals().count(std::chrono::steady_clock::now(), 0);  // nothing has been received before it subscribes
  auto subscription = state_->connection->subscribe(subject, queue, [weak, served](const Delivery& delivery) {
    if (const auto state = weak.lock()) {
      state->onRequest(state, served, delivery);
    }
  });
  if (!subscription) {
    return tl::unexpected(std::move(subscription.error()));
  }
  const std::lock_guard lock(state_->subscribed_mutex);
  state_->subscribed.push_back({std::move(served), std::move(*subscription)});
  return {};
}

}  // namespace tollgate::bus
