#include "libs/http/server.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include <cpprest/http_listener.h>
#include <netinet/in.h>
#include <pplx/threadpool.h>
#include <sys/socket.h>

#include "libs/base/assert.hpp"
#include "libs/base/handle.hpp"
#include "libs/base/text.hpp"
#include "libs/base/worker_pool.hpp"
#include "libs/http/router.hpp"
#include "libs/http/uri.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::http {

namespace {

using web::http::experimental::listener::http_listener;

constexpr int kIoThreads = 4;
constexpr int kPortTriesMax = 8;
constexpr std::chrono::seconds kStopWait{30};

// cpprest's own threads only move bytes, so a few are enough.
void startIoThreads() {
  static std::once_flag once;
  std::call_once(once, [] { crossplat::threadpool::initialize_with_threads(kIoThreads); });
}

// A loopback port on which nobody listens; 0 when there is none. cpprest cannot tell which port the kernel chose for it.
std::uint16_t pickFreePort() {
  const base::Handle handle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  const bool is_bound = ::bind(handle.value(), reinterpret_cast<sockaddr*>(&name), length) == 0 &&
                        ::getsockname(handle.value(), reinterpret_cast<sockaddr*>(&name), &length) == 0;
  return is_bound ? ntohs(name.sin_port) : std::uint16_t{0};
}

// Answers that are not written yet. Shared with the continuations of the answers, which may outlive the server.
struct InFlight {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t count = 0;

  void add() {
    const std::lock_guard lock(mutex);
    ++count;
  }
  void remove() {
    const std::lock_guard lock(mutex);
    --count;
    changed.notify_all();
  }
  void waitNone(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, limit, [this] { return count == 0; });
  }
};

// One request and its only answer. Shared by the continuation of its body and the worker that answers.
class Exchange {
 public:
  explicit Exchange(const web::http::http_request& request) : message_(request) {}

  [[nodiscard]] web::http::http_request& message() { return message_; }
  void setPattern(std::string pattern) { pattern_ = std::move(pattern); }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // False when it was answered before. `done` runs when the answer is written or the client has gone.
  bool answer(const Response& response, const std::function<void()>& done) {
    if (is_answered_.exchange(true)) {
      return false;
    }
    const bool has_body = message_.method() != "HEAD" && response.status != 204 && response.status != 304;
    web::http::http_response reply(static_cast<web::http::status_code>(response.status));
    if (has_body && !response.body.empty()) {
      // As bytes: cpprest's text bodies cast between stream types that are not related.
      reply.set_body(std::vector<unsigned char>(response.body.begin(), response.body.end()));
      reply.headers().set_content_type(response.content_type);
    }
    for (const auto& [name, value] : response.headers) {
      reply.headers().add(name, value);
    }
    // When the peer has closed the connection, this task throws. The exception must be caught, or the process ends.
    message_.reply(reply).then([done](const pplx::task<void>& written) {
      try {
        written.get();
      } catch (const std::exception&) {
      }
      done();
    });
    return true;
  }

 private:
  // Passed in.
  web::http::http_request message_;
  // Derived.
  std::string pattern_;
  std::atomic<bool> is_answered_{false};
};

using ExchangePtr = std::shared_ptr<Exchange>;

std::map<std::string, std::string> lowerHeaders(const web::http::http_headers& headers) {
  std::map<std::string, std::string> lower;
  for (const auto& [name, value] : headers) {
    lower[base::lower(name)] = value;
  }
  return lower;
}

bool isLongerThan(const web::http::http_headers& headers, std::size_t bytes_max) {
  const auto found = headers.find("Content-Length");
  std::uint64_t length = 0;
  if (found == headers.end()) {
    return false;
  }
  const char* end = found->second.data() + found->second.size();
  return std::from_chars(found->second.data(), end, length).ec != std::errc() || length > bytes_max;
}

// The client's address. Takes the proxy's secret out of `headers`.
std::string clientAddress(std::map<std::string, std::string>& headers, const std::string& proxy_secret, const std::string& peer) {
  const auto given = headers.extract("x-proxy-secret");
  const auto named = headers.find("x-real-ip");
  const bool is_of_proxy = !proxy_secret.empty() && !given.empty() && base::isSameSecret(proxy_secret, given.mapped());
  return is_of_proxy && named != headers.end() ? named->second : peer;
}

Response overloaded() {
  Response response = problem(503, "Service Unavailable", "too many requests are waiting; try again later");
  response.headers["Retry-After"] = "1";
  return response;
}

Response notAllowed(const std::string& method, const std::set<std::string>& allowed) {
  Response response = problem(405, "Method Not Allowed", method + " is not possible here");
  if (method == "OPTIONS") {
    response = Response{204, "", "", {}};
  }
  response.headers["Allow"] = base::joined({allowed.begin(), allowed.end()}, ", ");
  return response;
}

}  // namespace

struct Server::State {
  explicit State(ServerSettings given) : settings(std::move(given)) {}

  void onRequest(const web::http::http_request& message);
  void onBody(const ExchangePtr& exchange, const std::shared_ptr<Request>& request, const Match& match,
              const pplx::task<std::vector<unsigned char>>& body);
  void work(const ExchangePtr& exchange, Request& request, const Handler& handler);
  void answer(const ExchangePtr& exchange, const Response& response);
  [[nodiscard]] base::Result<void> listen();
  void stop();

  // Passed in.
  ServerSettings settings;
  Router router;
  std::function<std::optional<Response>(Request&)> filter;
  std::function<void(const Observation&)> observer;
  // Owned.
  std::unique_ptr<http_listener> listener;
  std::unique_ptr<base::WorkerPool> workers;
  std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();
  // Derived.
  std::uint16_t port = 0;
  bool is_started = false;
};

void Server::State::answer(const ExchangePtr& exchange, const Response& response) {
  const bool is_first = exchange->answer(response, [in_flight = in_flight] { in_flight->remove(); });
  if (is_first && observer) {
    observer({exchange->message().method(), exchange->pattern(), response.status});
  }
}

// Runs on cpprest's threads: nothing here may block.
void Server::State::onRequest(const web::http::http_request& message) {
  const auto exchange = std::make_shared<Exchange>(message);
  in_flight->add();
  if (isLongerThan(message.headers(), settings.body_bytes_max)) {
    return answer(exchange,
                  problem(413, "Content Too Large", "the body may have at most " + std::to_string(settings.body_bytes_max) + " bytes"));
  }
  const auto segments = splitPath(message.request_uri().path());
  auto query = parseQuery(message.request_uri().query());
  auto path = percentDecode(message.request_uri().path(), false);
  if (!segments || !query || !path) {
    return answer(exchange, problem(400, "Bad Request", "the path or query has a broken percent escape"));
  }
  Match match = router.find(message.method(), *segments);
  if (match.allowed.empty()) {
    return answer(exchange, problem(404, "Not Found", "there is nothing at " + *path));
  }
  if (match.route == nullptr) {
    return answer(exchange, notAllowed(message.method(), match.allowed));
  }
  exchange->setPattern(match.route->pattern);
  const auto request = std::make_shared<Request>();  // shared by the continuation and the worker, one after the other
  request->method = message.method();
  request->path = std::move(*path);
  request->query = std::move(*query);
  request->parameters = std::move(match.parameters);
  request->headers = lowerHeaders(message.headers());
  request->remote_address = clientAddress(request->headers, settings.proxy_secret, message.remote_address());
  exchange->message().extract_vector().then(
      [this, exchange, request, match](const pplx::task<std::vector<unsigned char>>& body) { onBody(exchange, request, match, body); });
}

void Server::State::onBody(const ExchangePtr& exchange, const std::shared_ptr<Request>& request, const Match& match,
                           const pplx::task<std::vector<unsigned char>>& body) {
  try {
    const auto bytes = body.get();
    request->body.assign(bytes.begin(), bytes.end());
  } catch (const std::exception&) {
    return answer(exchange, problem(400, "Bad Request", "the body did not arrive"));
  }
  const auto queued = workers->submit([this, exchange, request, match] { work(exchange, *request, match.route->handler); });
  if (!queued) {
    answer(exchange, overloaded());
  }
}

void Server::State::work(const ExchangePtr& exchange, Request& request, const Handler& handler) {
  try {
    if (filter) {
      if (const auto refusal = filter(request)) {
        return answer(exchange, *refusal);
      }
    }
    answer(exchange, handler(request));
  } catch (const std::exception& error) {
    // What went wrong is for the log, not for the client.
    const auto id = request.headers.find("x-request-id");
    telemetry::error("HTTP handler failed", {{"request_id", id == request.headers.end() ? std::string() : id->second},
                                             {"method", request.method},
                                             {"pattern", exchange->pattern()},
                                             {"error", error.what()}});
    answer(exchange, problem(500, "Internal Server Error", "the request could not be carried out"));
  }
}

base::Result<void> Server::State::listen() {
  startIoThreads();
  std::string failure = "no free port";
  for (int i = 0; i < (settings.port == 0 ? kPortTriesMax : 1); ++i) {
    port = settings.port == 0 ? pickFreePort() : settings.port;
    try {
      auto fresh = std::make_unique<http_listener>(web::uri("http://127.0.0.1:" + std::to_string(port) + "/"));
      const auto take = [this](const web::http::http_request& message) { onRequest(message); };
      fresh->support(take);
      fresh->support(web::http::methods::OPTIONS, take);  // else cpprest answers these two itself
      fresh->support(web::http::methods::TRCE, take);
      fresh->open().get();
      listener = std::move(fresh);
      return {};
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  return base::fail(base::ErrorCode::kUnavailable, "cannot listen for HTTP on 127.0.0.1:" + std::to_string(port) + ": " + failure);
}

void Server::State::stop() {
  in_flight->waitNone(kStopWait);
  try {
    if (listener) {
      listener->close().get();
    }
  } catch (const std::exception&) {
    // It is closed either way.
  }
  workers.reset();
  listener.reset();
  is_started = false;
}

Server::Server(ServerSettings settings) : state_(std::make_unique<State>(std::move(settings))) {}
Server::~Server() {
  stop();
}

void Server::route(std::string method, std::string pattern, Handler handler) {
  TG_ASSERT(!state_->is_started);
  state_->router.add(std::move(method), std::move(pattern), std::move(handler));
}

void Server::observe(std::function<void(const Observation&)> observer) {
  TG_ASSERT(!state_->is_started);
  state_->observer = std::move(observer);
}

void Server::before(std::function<std::optional<Response>(Request&)> filter) {
  TG_ASSERT(!state_->is_started);
  state_->filter = std::move(filter);
}

std::vector<std::string> Server::routes() const {
  return state_->router.list();
}

base::Result<void> Server::start() {
  TG_ASSERT(!state_->is_started);
  state_->workers = std::make_unique<base::WorkerPool>("http", state_->settings.threads, state_->settings.queue_max);
  auto outcome = state_->listen();
  state_->is_started = outcome.has_value();
  if (!outcome) {
    state_->stop();
  }
  return outcome;
}

std::uint16_t Server::port() const {
  return state_->port;
}

void Server::stop() {
  state_->stop();
}

}  // namespace tollgate::http
