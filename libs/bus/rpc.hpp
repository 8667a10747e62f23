// Typed request/reply over NATS. The contract is the `service` of a .proto; proto/rpc_generator.cpp makes a type of each RPC, for example
// auth::v1::Auth::Authorize in tollgate/auth/v1/auth.rpc.h, with its Request, its Reply and its subject. Client and server are made from
// these types; nothing is written by hand per RPC. On the bus a message is a tollgate.bus.v1.RequestBatch: the requests that were gathered
// for one subject travel as one message with one budget of time, and one message brings all replies. Threads: at each class.
//
// Time: the message says how long the asker still waits, never until when. The server counts from the arrival of the message on its steady
// clock (libs/bus/arrivals.hpp), so a difference between the clocks of two hosts changes nothing (REQUIREMENTS 12.6).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "libs/base/result.hpp"

namespace tollgate::bus {

class Connection;

template <class Def>
concept RpcVerb = requires {
  typename Def::Service;
  typename Def::Request;
  typename Def::Reply;
  requires Def::kSubject.starts_with("tg.rpc.");
};

// Decides on which thread a completion runs: the ingress posts it to the loop, blocking callers run it in place.
using Executor = std::function<void(std::function<void()>)>;

// The client side. One object per process and executor; any thread. Completions run through the executor, those of one batch together.
// Every call completes exactly once, with the reply or an Error. Errors: the RpcError of the service; kUnavailable: the bus is not
// connected or no service listens; kTimeout: no reply by the deadline; kOverLimit: pending_max calls wait; kInternal: the reply cannot be
// read.
class RpcClient {
 public:
  using RawDone = std::function<void(base::Result<std::string>)>;

  // With `gather`, requests wait for flush(), which sends one message per subject. Without it each call() sends immediately.
  // A message costs the bus and the service far more than one request in it. So when requests of one kind come faster than
  // `spacing_from_per_second`, flush() sends their messages no more often than every `spacing`. Below that rate no request is delayed.
  struct Options {
    bool gather = false;
    std::size_t batch_max = 64;        // items per message; at least 1
    std::size_t pending_max = 100000;  // further calls complete immediately with kOverLimit
    std::chrono::milliseconds spacing{5};
    std::size_t spacing_from_per_second = 700;
  };

  RpcClient(Connection& connection, Executor executor, Options options);
  ~RpcClient();  // completes what is pending with kUnavailable
  RpcClient(const RpcClient&) = delete;
  RpcClient& operator=(const RpcClient&) = delete;

  template <RpcVerb Def>
  void call(std::string_view call_id, const typename Def::Request& request, std::chrono::milliseconds timeout,
            std::function<void(base::Result<typename Def::Reply>)> done) {
    callRaw(Def::kSubject, call_id, request.SerializeAsString(), timeout, [done = std::move(done)](base::Result<std::string> bytes) {
      if (!bytes) {
        done(tl::unexpected(std::move(bytes.error())));
        return;
      }
      typename Def::Reply reply;
      if (!reply.ParseFromString(*bytes)) {
        done(base::fail(base::ErrorCode::kInternal, "unreadable reply"));
        return;
      }
      done(std::move(reply));
    });
  }

  // Sends the request immediately and blocks until it completes, without the executor. Requires: a worker thread or a test; never the loop
  // or a bus thread. Errors: as call().
  template <RpcVerb Def>
  [[nodiscard]] base::Result<typename Def::Reply> wait(std::string_view call_id, const typename Def::Request& request,
                                                       std::chrono::milliseconds timeout) {
    TG_TRY_ASSIGN(bytes, waitRaw(Def::kSubject, call_id, request.SerializeAsString(), timeout));
    typename Def::Reply reply;
    if (!reply.ParseFromString(bytes)) {
      return base::fail(base::ErrorCode::kInternal, "unreadable reply");
    }
    return reply;
  }

  // Sends what was gathered. When requests were held back by the spacing it returns how long: the owner flushes again after that time, or
  // earlier.
  [[nodiscard]] std::optional<std::chrono::steady_clock::duration> flush();

 private:
  // `subject` must live as long as the client: it is a literal.
  void callRaw(std::string_view subject, std::string_view call_id, std::string body, std::chrono::milliseconds timeout, RawDone done);
  [[nodiscard]] base::Result<std::string> waitRaw(std::string_view subject, std::string_view call_id, std::string body,
                                                  std::chrono::milliseconds timeout);

  struct State;
  std::unique_ptr<State> state_;
};

// Answers one request of a batch, exactly once, from any thread. A responder that is destroyed without an answer sends an RpcError.
// `undo` is called, at most once, when the answer cannot be sent: it is late, the bus is down, or the server is gone. The handler gives
// back what it took for the answer. It runs on the thread that completed the last answer of the batch, with no lock held; it must not
// block.
class RawResponder {
 public:
  class Batch;
  RawResponder(std::shared_ptr<Batch> batch, std::size_t index);
  RawResponder(RawResponder&&) noexcept;
  RawResponder& operator=(RawResponder&&) noexcept;
  ~RawResponder();
  void reply(std::string body, std::function<void()> undo = {});
  void fail(const base::Error& error);

 private:
  std::shared_ptr<Batch> batch_;  // shared by the responders of one request message; the last one sends
  std::size_t index_ = 0;
};

template <class Reply>
class Responder {
 public:
  explicit Responder(RawResponder raw) : raw_(std::move(raw)) {}
  void reply(const Reply& reply, std::function<void()> undo = {}) { raw_.reply(reply.SerializeAsString(), std::move(undo)); }
  void fail(const base::Error& error) { raw_.fail(error); }

 private:
  RawResponder raw_;
};

struct RpcContext {
  std::string call_id;
  std::chrono::steady_clock::time_point deadline;  // the asker stops waiting about then

  // The answer would not be sent any more.
  [[nodiscard]] bool isLate() const { return std::chrono::steady_clock::now() > deadline; }
};

// The serving side: queue group = service name. Handlers run on the bus's delivery threads and must not block; what blocks is handed
// to a pool together with the responder. A request whose budget is over when it is read is dropped; so is an answer that comes too late.
// Both are counted in the connection's metrics (late_requests) and logged once a second per subject, with their number. Owns a thread that
// measures how long requests wait (libs/bus/arrivals.hpp).
class RpcServer {
 public:
  using RawHandler = std::function<void(RpcContext, std::string_view body, RawResponder)>;

  explicit RpcServer(Connection& connection);
  ~RpcServer();  // stops taking requests; responders still alive send nothing any more, they undo
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  template <RpcVerb Def>
  [[nodiscard]] base::Result<void> serve(
      std::function<void(const RpcContext&, const typename Def::Request&, Responder<typename Def::Reply>)> handler) {
    return serveRaw(Def::Service::kName, Def::kSubject,
                    [handler = std::move(handler)](const RpcContext& context, std::string_view body, RawResponder raw) {
                      typename Def::Request request;
                      if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
                        raw.fail({base::ErrorCode::kInvalid, "unreadable request"});
                        return;
                      }
                      handler(context, request, Responder<typename Def::Reply>(std::move(raw)));
                    });
  }

  // Serves every RPC of a service: `handler` has a member function per RPC, authorize(context, request, responder) for Authorize. An RPC
  // without one does not compile. Requires: the handler outlives the server. Errors: those of Connection::subscribe().
  template <class Service, class Handler>
  [[nodiscard]] base::Result<void> serveAll(Handler& handler) {
    return serveEach(handler, static_cast<const typename Service::Verbs*>(nullptr));
  }

  struct State;  // for libs/bus itself
  class Served;

 private:
  template <class Handler, RpcVerb... Defs>
  [[nodiscard]] base::Result<void> serveEach(Handler& handler, const std::tuple<Defs...>* /*verbs*/) {
    base::Result<void> outcome;
    const auto serve_one = [&]<class Def>(const Def*) {
      outcome =
          serve<Def>([&handler](const RpcContext& context, const typename Def::Request& request, Responder<typename Def::Reply> responder) {
            Def::handle(handler, context, request, std::move(responder));
          });
      return outcome.has_value();
    };
    static_cast<void>((serve_one(static_cast<const Defs*>(nullptr)) && ...));
    return outcome;
  }
  [[nodiscard]] base::Result<void> serveRaw(std::string_view queue, std::string_view subject, RawHandler handler);

  std::shared_ptr<State> state_;  // shared with the bus callbacks and the responders
};

}  // namespace tollgate::bus
