#include "libs/http/server.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <cpprest/http_listener.h>
#include <netinet/in.h>
#include <pplx/threadpool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/base/assert.hpp"
#include "libs/http/body.hpp"
#include "libs/http/router.hpp"
#include "libs/http/uri.hpp"
#include "libs/http/worker_pool.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::http {

namespace {

using web::http::experimental::listener::http_listener;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kIoThreads = 4;
constexpr int kPortTriesMax = 8;
constexpr std::chrono::milliseconds kBodyCheckInterval{100};
constexpr std::chrono::seconds kStopExtraWait{5};

// cpprest's own threads only move bytes, so a few are enough for every server of the process.
void startIoThreads() {
  static std::once_flag once;
  std::call_once(once, [] { crossplat::threadpool::initialize_with_threads(kIoThreads); });
}

// A port nobody listens on, chosen by the kernel; 0 when there is none. cpprest cannot tell which port it was given.
std::uint16_t pickFreePort(const std::string& address) {
  const int handle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  if (::inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) {
    name.sin_addr.s_addr = htonl(INADDR_ANY);
  }
  socklen_t length = sizeof name;
  std::uint16_t port = 0;
  if (::bind(handle, reinterpret_cast<sockaddr*>(&name), length) == 0 &&
      ::getsockname(handle, reinterpret_cast<sockaddr*>(&name), &length) == 0) {
    port = ntohs(name.sin_port);
  }
  ::close(handle);
  return port;
}

// One request and its only answer. Shared by the worker that answers, the body's continuation and the body timer.
class Exchange {
 public:
  explicit Exchange(const web::http::http_request& request) : message_(request), arrived_(std::chrono::steady_clock::now()) {}

  [[nodiscard]] web::http::http_request& message() { return message_; }
  [[nodiscard]] SteadyTime arrived() const { return arrived_; }
  void setPattern(std::string pattern) { pattern_ = std::move(pattern); }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // False when it was answered before. `done` runs when the answer is written or the client has gone.
  bool answer(const Response& response, bool is_last, const std::function<void()>& done) {
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
    if (is_last) {
      reply.headers().add("Connection", "close");
    }
    // A client that went away shows as an exception of this task; it must be looked at, else the process ends.
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
  SteadyTime arrived_;
  std::string pattern_;
  std::atomic<bool> is_answered_{false};
};

using ExchangePtr = std::shared_ptr<Exchange>;

// Ends the reading of a body that is not wanted. Without it cpprest buffers all of it before it sends the answer.
void abandonBody(const ExchangePtr& exchange) {
  exchange->message()._get_impl()->_complete(0, std::make_exception_ptr(web::http::http_exception("body refused")));
}

BodyHeaders bodyHeaders(const web::http::http_headers& headers) {
  BodyHeaders found;
  if (const auto header = headers.find("Content-Length"); header != headers.end()) {
    found.content_length = header->second;
  }
  if (const auto header = headers.find("Transfer-Encoding"); header != headers.end()) {
    found.transfer_encoding = header->second;
  }
  return found;
}

std::map<std::string, std::string> lowerHeaders(const web::http::http_headers& headers) {
  std::map<std::string, std::string> lower;
  for (const auto& [name, value] : headers) {
    std::string key = name;
    std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    lower[std::move(key)] = value;
  }
  return lower;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

Response overloaded() {
  Response response = problem(503, "Service Unavailable", "too many requests are waiting; try again");
  response.headers["Retry-After"] = "1";
  return response;
}

// Exchanges whose answer is not written yet. Shared with the continuations of their answers, which may outlive the server.
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

}  // namespace

struct Server::State {
  explicit State(ServerSettings given) : settings(std::move(given)) {}

  void onRequest(const web::http::http_request& message);
  void onBody(const ExchangePtr& exchange, const std::shared_ptr<Request>& request, const Match& match,
              const pplx::task<std::vector<unsigned char>>& body);
  void work(const ExchangePtr& exchange, Request& request, const Handler& handler);
  void answer(const ExchangePtr& exchange, const Response& response, bool is_last = false);
  void refuse(const ExchangePtr& exchange, const Response& response);
  void watchBodies();
  [[nodiscard]] base::Result<void> listen(std::uint16_t at);
  void stop();

  // Passed in.
  ServerSettings settings;
  Router router;
  std::function<std::optional<Response>(Request&)> filter;
  std::function<void(const Observation&)> observer;
  // Owned.
  std::unique_ptr<http_listener> listener;
  std::unique_ptr<WorkerPool> workers;
  std::thread body_watch;
  std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();
  // Derived.
  std::uint16_t port = 0;
  bool is_started = false;
  std::atomic<bool> is_stopping{false};
  std::mutex mutex;
  std::condition_variable changed;
  std::set<ExchangePtr> reading;  // whose bodies are awaited
  bool is_watch_ending = false;
};

void Server::State::answer(const ExchangePtr& exchange, const Response& response, bool is_last) {
  const bool is_first = exchange->answer(response, is_last || is_stopping, [in_flight = in_flight] { in_flight->remove(); });
  if (is_first && observer) {
    const auto took = std::chrono::steady_clock::now() - exchange->arrived();
    observer(
        {exchange->message().method(), exchange->pattern(), response.status, std::chrono::duration_cast<std::chrono::microseconds>(took)});
  }
}

void Server::State::refuse(const ExchangePtr& exchange, const Response& response) {
  const BodyHeaders body = bodyHeaders(exchange->message().headers());
  const bool has_body = body.transfer_encoding || (body.content_length && *body.content_length != "0");
  answer(exchange, response, has_body);
  if (has_body) {
    abandonBody(exchange);
  }
}

// Runs on cpprest's threads: nothing here may block.
void Server::State::onRequest(const web::http::http_request& message) {
  const auto exchange = std::make_shared<Exchange>(message);
  in_flight->add();
  if (is_stopping) {
    return refuse(exchange, problem(503, "Service Unavailable", "the server is stopping"));
  }
  if (const auto refusal = judgeBody(bodyHeaders(message.headers()), settings.body_bytes_max)) {
    return refuse(exchange, *refusal);
  }
  const auto segments = splitPath(message.request_uri().path());
  auto query = parseQuery(message.request_uri().query());
  auto path = percentDecode(message.request_uri().path(), false);
  if (!segments || !query || !path) {
    return refuse(exchange, problem(400, "Bad Request", "the path or query has a broken percent escape"));
  }
  Match match = router.find(message.method(), *segments);
  if (match.allowed.empty()) {
    return refuse(exchange, problem(404, "Not Found", "there is nothing at " + *path));
  }
  if (match.route == nullptr) {
    Response response = problem(405, "Method Not Allowed", message.method() + " is not possible here");
    if (message.method() == "OPTIONS") {
      response = Response{204, "", "", {}};
    }
    response.headers["Allow"] = joined(match.allowed);
    return refuse(exchange, response);
  }
  exchange->setPattern(match.route->pattern);
  const auto request = std::make_shared<Request>();  // shared by the continuation and the worker, one after the other
  request->method = message.method();
  request->path = std::move(*path);
  request->query = std::move(*query);
  request->parameters = std::move(match.parameters);
  request->headers = lowerHeaders(message.headers());
  request->remote_address = message.remote_address();
  {
    const std::lock_guard lock(mutex);
    reading.insert(exchange);
  }
  exchange->message().extract_vector().then(
      [this, exchange, request, match](const pplx::task<std::vector<unsigned char>>& body) { onBody(exchange, request, match, body); });
}

void Server::State::onBody(const ExchangePtr& exchange, const std::shared_ptr<Request>& request, const Match& match,
                           const pplx::task<std::vector<unsigned char>>& body) {
  {
    const std::lock_guard lock(mutex);
    reading.erase(exchange);
  }
  try {
    const auto bytes = body.get();
    request->body.assign(bytes.begin(), bytes.end());
  } catch (const std::exception&) {
    return answer(exchange, problem(400, "Bad Request", "the body did not arrive"), true);
  }
  const bool is_queued = workers->submit([this, exchange, request, match] { work(exchange, *request, match.route->handler); });
  if (!is_queued) {
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
    telemetry::error("HTTP handler failed", {{"method", request.method}, {"pattern", exchange->pattern()}, {"what", error.what()}});
    answer(exchange, problem(500, "Internal Server Error", "the request could not be carried out"));
  }
}

void Server::State::watchBodies() {
  std::unique_lock lock(mutex);
  while (!is_watch_ending) {
    changed.wait_for(lock, kBodyCheckInterval, [this] { return is_watch_ending; });
    std::vector<ExchangePtr> late;
    const auto oldest = std::chrono::steady_clock::now() - settings.body_timeout;
    for (const ExchangePtr& exchange : reading) {
      if (exchange->arrived() < oldest) {
        late.push_back(exchange);
      }
    }
    lock.unlock();
    for (const ExchangePtr& exchange : late) {
      refuse(exchange, problem(408, "Request Timeout", "the body did not arrive in time"));
    }
    lock.lock();
  }
}

base::Result<void> Server::State::listen(std::uint16_t at) {
  const std::string place = settings.address + ":" + std::to_string(at);
  try {
    startIoThreads();
    auto fresh = std::make_unique<http_listener>(web::uri("http://" + place + "/"));
    const auto take = [this](const web::http::http_request& message) { onRequest(message); };
    fresh->support(take);
    fresh->support(web::http::methods::OPTIONS, take);  // else cpprest answers these two itself
    fresh->support(web::http::methods::TRCE, take);
    fresh->open().get();
    listener = std::move(fresh);
    port = at;
    return {};
  } catch (const std::exception& error) {
    return base::fail(base::ErrorCode::kUnavailable,
                      "cannot listen for HTTP on " + place + ": " + error.what() + " (is the port taken by another process?)");
  }
}

void Server::State::stop() {
  if (!is_started) {
    return;
  }
  is_started = false;
  is_stopping = true;
  in_flight->waitNone(settings.body_timeout + kStopExtraWait);
  try {
    listener->close().get();
  } catch (const std::exception&) {
    // It is closed either way.
  }
  workers.reset();
  {
    const std::lock_guard lock(mutex);
    is_watch_ending = true;
  }
  changed.notify_all();
  body_watch.join();
  listener.reset();
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
  state_->workers = std::make_unique<WorkerPool>(state_->settings.threads, state_->settings.queue_max);
  base::Result<void> outcome = base::fail(base::ErrorCode::kUnavailable, "no free port on " + state_->settings.address);
  const bool is_any_port = state_->settings.port == 0;
  for (int i = 0; i < (is_any_port ? kPortTriesMax : 1) && !outcome; ++i) {
    outcome = state_->listen(is_any_port ? pickFreePort(state_->settings.address) : state_->settings.port);
  }
  if (!outcome) {
    state_->workers.reset();
    return outcome;
  }
  state_->body_watch = std::thread([state = state_.get()] { state->watchBodies(); });
  state_->is_started = true;
  return {};
}

std::uint16_t Server::port() const {
  return state_->port;
}

void Server::stop() {
  state_->stop();
}

}  // namespace tollgate::http
