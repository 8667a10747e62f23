// Typed request/reply over NATS. An RPC is a small definition type (libs/bus/rpcs_<service>.hpp):
//
//   struct Authorize { using Request = auth::v1::AuthorizeRequest; using Reply = auth::v1::AuthorizeReply;
//                      static constexpr std::string_view kService = "auth", kVerb = "authorize"; };
//
// Client and server are made from it; nothing is written by hand per call. The wire is tollgate.bus.v1.RequestBatch: the requests that
// were gathered for one subject travel as one message with one deadline, and come back as one reply.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::bus {

class Connection;

template <class Def>
concept RpcDefinition = requires {
  typename Def::Request;
  typename Def::Reply;
  { Def::kService } -> std::convertible_to<std::string_view>;
  { Def::kVerb } -> std::convertible_to<std::string_view>;
};

// Runs a completion where its owner wants it: the ingress posts to the call's loop, blocking callers run it in place.
using Executor = std::function<void(std::function<void()>)>;

// The client side. One object per process and executor; any thread. Completions through the executor, those of a batch in one go.
// Every call completes exactly once: reply, RpcError of the service, no responders (kUnavailable), deadline over (kTimeout), bus down
// (kUnavailable at once).
class RpcClient {
 public:
  using RawDone = std::function<void(base::Result<std::string>)>;

  // With `gather`, requests wait for flush(), which sends one message per subject; without it each call() sends at once.
  // A message costs the bus and the service far more than a request in it. So while one kind of request comes faster than
  // `spacing_from_per_second`, its messages are sent no more often than every `spacing`, by a thread of the client; one call alone is
  // never delayed.
  struct Options {
    bool gather = false;
    std::size_t batch_max = 64;        // items per message
    std::size_t pending_max = 100000;  // beyond: kOverLimit at once
    std::chrono::milliseconds spacing{5};
    std::size_t spacing_from_per_second = 700;
  };

  RpcClient(Connection& connection, Executor executor, Options options);
  ~RpcClient();  // completes what is pending with kUnavailable
  RpcClient(const RpcClient&) = delete;
  RpcClient& operator=(const RpcClient&) = delete;

  template <RpcDefinition Def>
  void call(std::string_view call_id, const typename Def::Request& request, std::chrono::milliseconds timeout,
            std::function<void(base::Result<typename Def::Reply>)> done) {
    callRaw(Def::kService, Def::kVerb, call_id, request.SerializeAsString(), timeout,
            [done = std::move(done)](base::Result<std::string> bytes) {
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

  // Blocks the calling thread until done; for worker threads and tests, never for a loop or a bus thread. Sent at once, executor unused.
  template <RpcDefinition Def>
  [[nodiscard]] base::Result<typename Def::Reply> wait(std::string_view call_id, const typename Def::Request& request,
                                                       std::chrono::milliseconds timeout) {
    TG_TRY_ASSIGN(bytes, waitRaw(Def::kService, Def::kVerb, call_id, request.SerializeAsString(), timeout));
    typename Def::Reply reply;
    if (!reply.ParseFromString(bytes)) {
      return base::fail(base::ErrorCode::kInternal, "unreadable reply");
    }
    return reply;
  }

  void flush();

 private:
  void callRaw(std::string_view service, std::string_view verb, std::string_view call_id, std::string body,
               std::chrono::milliseconds timeout, RawDone done);
  [[nodiscard]] base::Result<std::string> waitRaw(std::string_view service, std::string_view verb, std::string_view call_id,
                                                  std::string body, std::chrono::milliseconds timeout);

  struct State;
  std::unique_ptr<State> state_;
};

// Answers one request of a batch, exactly once, from any thread. Dropped without an answer = RpcError internal.
class RawResponder {
 public:
  class Batch;
  RawResponder(std::shared_ptr<Batch> batch, std::size_t index);
  RawResponder(RawResponder&&) noexcept;
  RawResponder& operator=(RawResponder&&) noexcept;
  ~RawResponder();
  void reply(std::string body);
  void fail(const base::Error& error);

 private:
  std::shared_ptr<Batch> batch_;  // shared by the responders of one request message; the last one sends
  std::size_t index_ = 0;
};

template <class Reply>
class Responder {
 public:
  explicit Responder(RawResponder raw) : raw_(std::move(raw)) {}
  void reply(const Reply& reply) { raw_.reply(reply.SerializeAsString()); }
  void fail(const base::Error& error) { raw_.fail(error); }

 private:
  RawResponder raw_;
};

struct RpcContext {
  std::string call_id;
  std::chrono::system_clock::time_point deadline;
};

// The serving side: queue group = service name. Handlers run on the bus's delivery threads and must not block; what blocks is handed
// to a pool together with the responder. Requests read after their deadline are dropped and counted.
class RpcServer {
 public:
  using RawHandler = std::function<void(RpcContext, std::string_view body, RawResponder)>;

  RpcServer(Connection& connection, std::string service);
  ~RpcServer();  // stops taking requests; responders still alive send nothing any more
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  template <RpcDefinition Def>
  [[nodiscard]] base::Result<void> serve(
      std::function<void(const RpcContext&, const typename Def::Request&, Responder<typename Def::Reply>)> handler) {
    return serveRaw(Def::kVerb, [handler = std::move(handler)](const RpcContext& context, std::string_view body, RawResponder raw) {
      typename Def::Request request;
      if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        raw.fail({base::ErrorCode::kInvalid, "unreadable request"});
        return;
      }
      handler(context, request, Responder<typename Def::Reply>(std::move(raw)));
    });
  }

  [[nodiscard]] std::uint64_t lateRequests() const;

  struct State;  // for libs/bus itself

 private:
  [[nodiscard]] base::Result<void> serveRaw(std::string_view verb, RawHandler handler);

  std::shared_ptr<State> state_;  // shared with the bus callbacks and the responders
};

}  // namespace tollgate::bus
