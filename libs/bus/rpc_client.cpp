#include <algorithm>
#include <atomic>
#include <cstdint>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "libs/base/assert.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/reply_inbox.hpp"
#include "libs/bus/rpc.hpp"
#include "tollgate/bus/v1/rpc.pb.h"

namespace tollgate::bus {
namespace {

using Time = ReplyInbox::Time;
using RawDone = RpcClient::RawDone;
using RawResult = base::Result<std::string>;

struct Item {
  std::string call_id;
  std::string body;
  RawDone done;
};

// Requests of one kind that wait for flush().
struct Group {
  std::string_view subject;
  std::chrono::milliseconds timeout{};
  Time deadline{};
  std::vector<Item> items;
  // How fast requests of this kind come, and when the last message left.
  Time window_began{};
  std::size_t window_count = 0;
  bool busy = false;
  Time last_sent{};

  void noteArrival(Time now, std::size_t busy_from_per_second);
};

// Short enough that a burst is noticed soon, long enough that the rate of a window means something.
constexpr std::chrono::milliseconds kRateWindow{100};

void Group::noteArrival(Time now, std::size_t busy_from_per_second) {
  if (const auto elapsed = now - window_began; elapsed >= kRateWindow) {
    busy = static_cast<double>(window_count) >= static_cast<double>(busy_from_per_second) * std::chrono::duration<double>(elapsed).count();
    window_began = now;
    window_count = 0;
  }
  ++window_count;
}

// The completions of the requests that travel in one message.
using Sent = std::shared_ptr<std::vector<RawDone>>;  // shared by the copies of the std::function that carries it

void completeAll(const std::vector<RawDone>& sent, const base::Error& error) {
  for (const auto& done : sent) {
    done(tl::unexpected(error));
  }
}

// A code that this program does not know is an internal error.
base::Error fromWire(const v1::RpcError& error) {
  const bool is_known = error.code() > 0 && error.code() <= static_cast<int>(base::kLastErrorCode);
  return {is_known ? static_cast<base::ErrorCode>(error.code()) : base::ErrorCode::kInternal, error.message()};
}

std::vector<RawResult> readReplies(std::string_view data, std::size_t expected) {
  thread_local v1::ReplyBatch batch;  // kept so that its memory is used again
  std::vector<RawResult> results;
  results.reserve(expected);
  if (!batch.ParseFromArray(data.data(), static_cast<int>(data.size())) || static_cast<std::size_t>(batch.items_size()) != expected) {
    results.assign(expected, base::fail(base::ErrorCode::kInternal, "unreadable reply batch"));
    return results;
  }
  for (auto& item : *batch.mutable_items()) {
    if (item.has_error()) {
      results.emplace_back(tl::unexpected(fromWire(item.error())));
    } else {
      results.emplace_back(std::move(*item.mutable_body()));
    }
  }
  return results;
}

// What is left of the asker's time. A request that is sent at the last moment has a budget of 1 ms, not of none.
std::uint32_t budgetUntil(Time deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

struct RpcClient::State {
  // Passed in.
  Connection& connection;
  Executor executor;
  Options options;

  // Owned.
  std::shared_ptr<ReplyInbox> inbox;
  std::mutex mutex;  // the rest; never held while a completion may run
  std::vector<Group> groups;

  // Derived.
  std::atomic<std::size_t> pending{0};

  State(Connection& the_connection, Executor the_executor, Options the_options)
      : connection(the_connection), executor(std::move(the_executor)), options(the_options), inbox(ReplyInbox::make(the_connection)) {}

  Group& groupFor(std::string_view subject, std::chrono::milliseconds timeout);
  std::optional<Time::duration> flush();
  void send(std::string_view subject, Time deadline, std::span<Item> items, const Executor& run);
  void sendAll(std::string_view subject, Time deadline, std::vector<Item> items);
  void onReply(Sent sent, base::Result<std::string_view> data, const Executor& run);
};

Group& RpcClient::State::groupFor(std::string_view subject, std::chrono::milliseconds timeout) {
  for (auto& group : groups) {
    if (group.timeout == timeout && group.subject == subject) {
      return group;
    }
  }
  Group group;
  group.subject = subject;
  group.timeout = timeout;
  return groups.emplace_back(std::move(group));
}

void RpcClient::State::onReply(Sent sent, base::Result<std::string_view> data, const Executor& run) {
  pending.fetch_sub(sent->size(), std::memory_order_relaxed);
  if (!data) {
    run([sent = std::move(sent), error = std::move(data.error())] { completeAll(*sent, error); });
    return;
  }
  // A shared_ptr because std::function wants to be copyable; one copy runs.
  auto results = std::make_shared<std::vector<RawResult>>(readReplies(*data, sent->size()));
  run([sent = std::move(sent), results = std::move(results)] {
    for (std::size_t i = 0; i < sent->size(); ++i) {
      (*sent)[i](std::move((*results)[i]));
    }
  });
}

void RpcClient::State::send(std::string_view subject, Time deadline, std::span<Item> items, const Executor& run) {
  thread_local v1::RequestBatch request;  // kept so that its memory is used again
  thread_local std::string encoded;
  request.Clear();
  encoded.clear();
  auto sent = std::make_shared<std::vector<RawDone>>();
  sent->reserve(items.size());
  for (auto& item : items) {
    auto* wire = request.add_items();
    wire->set_call_id(std::move(item.call_id));
    wire->set_body(std::move(item.body));
    sent->push_back(std::move(item.done));
  }
  pending.fetch_add(items.size(), std::memory_order_relaxed);
  if (!connection.isConnected()) {  // not into the reconnect buffer: sent later it would be answered for nobody
    onReply(std::move(sent), base::fail(base::ErrorCode::kUnavailable, "not connected to the bus"), run);
    return;
  }
  request.set_budget_ms(budgetUntil(deadline));
  request.AppendToString(&encoded);
  // The inbox knows the request before it is sent: the reply may arrive before publishRequest() returns.
  const std::uint64_t id =
      inbox->expect(deadline, [this, sent, &run](base::Result<std::string_view> data) { onReply(sent, std::move(data), run); });
  if (const auto published = connection.publishRequest(subject, inbox->subjectFor(id), encoded); !published) {
    inbox->fail(id, published.error());
  }
}

void RpcClient::State::sendAll(std::string_view subject, Time deadline, std::vector<Item> items) {
  const std::span<Item> all(items);
  for (std::size_t first = 0; first < all.size(); first += options.batch_max) {
    send(subject, deadline, all.subspan(first, std::min(options.batch_max, all.size() - first)), executor);
  }
}

RpcClient::RpcClient(Connection& connection, Executor executor, Options options)
    : state_(std::make_unique<State>(connection, std::move(executor), options)) {
  TG_ASSERT(options.batch_max > 0);
}

RpcClient::~RpcClient() {
  state_->inbox->close();
  for (auto& group : state_->groups) {
    auto sent = std::make_shared<std::vector<RawDone>>();
    for (auto& item : group.items) {
      sent->push_back(std::move(item.done));
    }
    state_->executor([sent = std::move(sent)] { completeAll(*sent, {base::ErrorCode::kUnavailable, "the bus client is being closed"}); });
  }
}

void RpcClient::callRaw(std::string_view subject, std::string_view call_id, std::string body, std::chrono::milliseconds timeout,
                        RawDone done) {
  const Time deadline = std::chrono::steady_clock::now() + timeout;
  Item item{std::string(call_id), std::move(body), std::move(done)};
  std::unique_lock lock(state_->mutex);
  Group& group = state_->groupFor(subject, timeout);
  if (state_->pending.load(std::memory_order_relaxed) + group.items.size() >= state_->options.pending_max) {
    lock.unlock();
    state_->executor(
        [refused = std::move(item.done)] { refused(base::fail(base::ErrorCode::kOverLimit, "too many requests wait for the bus")); });
    return;
  }
  if (state_->options.gather) {
    if (group.items.empty()) {
      group.deadline = deadline;
    }
    group.noteArrival(deadline - timeout, state_->options.spacing_from_per_second);
    group.items.push_back(std::move(item));
    return;
  }
  lock.unlock();
  state_->send(subject, deadline, {&item, 1}, state_->executor);
}

std::optional<Time::duration> RpcClient::State::flush() {
  const Time now = std::chrono::steady_clock::now();
  Time held = Time::max();
  std::unique_lock lock(mutex);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Group& group = groups[i];
    if (group.items.empty()) {
      continue;
    }
    if (const Time due = group.last_sent + options.spacing; group.busy && due > now && group.items.size() < options.batch_max) {
      held = std::min(held, due);
      continue;
    }
    group.last_sent = now;
    std::vector<Item> items;
    items.swap(group.items);
    const std::string_view subject = group.subject;
    const Time deadline = group.deadline;
    lock.unlock();  // a completion that runs in place may call again
    sendAll(subject, deadline, std::move(items));
    lock.lock();
  }
  return held == Time::max() ? std::nullopt : std::optional(held - now);
}

std::optional<std::chrono::steady_clock::duration> RpcClient::flush() {
  return state_->flush();
}

base::Result<std::string> RpcClient::waitRaw(std::string_view subject, std::string_view call_id, std::string body,
                                             std::chrono::milliseconds timeout) {
  static const Executor in_place = [](const std::function<void()>& completion) { completion(); };
  auto promise = std::make_shared<std::promise<RawResult>>();  // shared with the completion, which std::function may copy
  auto future = promise->get_future();
  Item item{std::string(call_id), std::move(body), [promise](RawResult result) { promise->set_value(std::move(result)); }};
  state_->send(subject, std::chrono::steady_clock::now() + timeout, {&item, 1}, in_place);
  return future.get();
}

}  // namespace tollgate::bus
