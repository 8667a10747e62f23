// Control requests: subjects tg.ctl.<service>.v1.<verb>. A request goes to every instance of a service; each instance that acted replies
// itself, with one message or several. The types come from the `service` of a .proto (proto/rpc_generator.cpp).
// gather(): worker threads only, it blocks. serveControl(): any thread; the handlers run on bus threads and must not block.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "libs/bus/connection.hpp"

namespace tollgate::bus {

template <class Def>
concept ControlVerb = requires {
  typename Def::Request;
  typename Def::Reply;
  requires Def::kSubject.starts_with("tg.ctl.");
};

// Raw form of gather() and serveControl(); also used by tests of the bus itself.
[[nodiscard]] std::vector<std::string> gatherReplies(Connection& connection, std::string_view subject, std::string_view data,
                                                     std::size_t enough, std::chrono::milliseconds time);
// `take` gets one reply after the other, on a bus thread and never two at a time; true ends the gathering, and it is not called again.
void takeReplies(Connection& connection, std::string_view subject, std::string_view data, const std::function<bool(std::string_view)>& take,
                 std::chrono::milliseconds time);
void logUnreadable(std::string_view subject);

// Sends one control request to every instance and gathers the replies until there are `enough` of them or the time is over. With enough = 0
// it waits until the time is over. It returns immediately, with nothing, when no instance listens or the bus is not connected. Unreadable
// replies are logged and left out.
template <ControlVerb Def>
[[nodiscard]] std::vector<typename Def::Reply> gather(Connection& connection, const typename Def::Request& request, std::size_t enough,
                                                      std::chrono::milliseconds time) {
  std::vector<typename Def::Reply> replies;
  for (const std::string& data : gatherReplies(connection, Def::kSubject, request.SerializeAsString(), enough, time)) {
    if (typename Def::Reply reply; reply.ParseFromString(data)) {
      replies.push_back(std::move(reply));
    } else {
      logUnreadable(Def::kSubject);
    }
  }
  return replies;
}

// The same, until a reply is enough by itself. `is_enough` runs on a bus thread and must not block.
template <ControlVerb Def>
[[nodiscard]] std::vector<typename Def::Reply> gatherUntil(Connection& connection, const typename Def::Request& request,
                                                           const std::function<bool(const typename Def::Reply&)>& is_enough,
                                                           std::chrono::milliseconds time) {
  std::vector<typename Def::Reply> replies;
  const auto take = [&](std::string_view data) {
    typename Def::Reply reply;
    if (!reply.ParseFromArray(data.data(), static_cast<int>(data.size()))) {
      logUnreadable(Def::kSubject);
      return false;
    }
    replies.push_back(std::move(reply));
    return is_enough(replies.back());
  };
  takeReplies(connection, Def::kSubject, request.SerializeAsString(), take, time);
  return replies;
}

// Sends the replies to one control request. Any thread. Copyable. Requires: the connection outlives it.
template <class Reply>
class ControlReplier {
 public:
  ControlReplier(Connection& connection, std::string_view reply_to) : connection_(&connection), reply_to_(reply_to) {}
  [[nodiscard]] bool isWanted() const { return !reply_to_.empty(); }
  // A reply that cannot be sent is dropped: the asker waits for a limited time only.
  void reply(const Reply& reply) const {
    if (isWanted()) {
      static_cast<void>(connection_->publish(reply_to_, reply.SerializeAsString()));
    }
  }

 private:
  Connection* connection_;
  std::string reply_to_;
};

template <ControlVerb Def>
[[nodiscard]] base::Result<Subscription> hearControl(
    Connection& connection, std::function<void(const typename Def::Request&, ControlReplier<typename Def::Reply>)> handler) {
  return connection.subscribe(Def::kSubject, "", [&connection, handler = std::move(handler)](const Delivery& delivery) {
    typename Def::Request request;
    if (!request.ParseFromArray(delivery.data.data(), static_cast<int>(delivery.data.size()))) {
      logUnreadable(Def::kSubject);
      return;
    }
    handler(request, ControlReplier<typename Def::Reply>(connection, delivery.reply_to));
  });
}

// Serves every verb of a service: `handler` has a member function per verb, hangup(request, replier) for Hangup. A verb without one does
// not compile. Requires: the handler outlives the subscriptions. Errors: those of Connection::subscribe().
template <class Service, class Handler>
[[nodiscard]] base::Result<std::vector<Subscription>> serveControl(Connection& connection, Handler& handler) {
  std::vector<Subscription> subscriptions;
  base::Result<void> outcome;
  const auto hear = [&]<class Def>(const Def*) {
    auto subscription =
        hearControl<Def>(connection, [&handler](const auto& request, auto replier) { Def::handle(handler, request, std::move(replier)); });
    if (!subscription) {
      outcome = tl::unexpected(std::move(subscription.error()));
      return false;
    }
    subscriptions.push_back(std::move(*subscription));
    return true;
  };
  const auto hear_all = [&]<class... Defs>(const std::tuple<Defs...>*) { return (hear(static_cast<const Defs*>(nullptr)) && ...); };
  if (!hear_all(static_cast<const typename Service::Verbs*>(nullptr))) {
    return tl::unexpected(std::move(outcome.error()));
  }
  return subscriptions;
}

}  // namespace tollgate::bus
