#include "libs/http/gate.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "libs/http/gate_client.hpp"

namespace tollgate::http {

namespace {

using Phase = GateClient::Phase;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kHeadBytesMax = 16384;
constexpr std::size_t kReadBytes = 65536;
constexpr std::size_t kOutBytesMax = 262144;  // beyond: the inner side waits for the client
constexpr int kBacklog = 256;
constexpr int kSweepMilliseconds = 100;
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::uint64_t kListenTag = 0;
constexpr std::uint64_t kWakeTag = 1;
constexpr std::uint64_t kFirstClientId = 1;  // tags are id * 2 (client side) and id * 2 + 1 (inner side)

bool isPassing(int error) {
  return error == EAGAIN || error == EINTR;
}

std::string remoteText(const sockaddr_storage& name, socklen_t length) {
  std::array<char, NI_MAXHOST> host = {};
  const auto* address = reinterpret_cast<const sockaddr*>(&name);
  return ::getnameinfo(address, length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) == 0 ? host.data() : "";
}

void setNoDelay(int handle) {
  const int on = 1;
  ::setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Writes what the socket takes. False when the other side is gone.
bool writeSome(int handle, std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto sent = ::send(handle, bytes.data() + written, bytes.size() - written, MSG_NOSIGNAL);
    if (sent < 0 && !isPassing(errno)) {
      return false;
    }
    if (sent <= 0) {
      break;
    }
    written += static_cast<std::size_t>(sent);
  }
  bytes.erase(0, written);
  return true;
}

enum class Read { kSome, kNothing, kEnd, kBroken };

Read readSome(int handle, std::string& bytes) {
  thread_local std::array<char, kReadBytes> buffer;
  const auto got = ::recv(handle, buffer.data(), buffer.size(), 0);
  if (got > 0) {
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    return Read::kSome;
  }
  if (got == 0) {
    return Read::kEnd;
  }
  return isPassing(errno) ? Read::kNothing : Read::kBroken;
}

}  // namespace

class Gate::Loop {
 public:
  Loop(GateSettings settings, std::function<void(std::string_view, int)> refused)
      : settings_(std::move(settings)), refused_(std::move(refused)) {}
  ~Loop() { stop(std::chrono::milliseconds{0}); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] base::Result<void> start();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void stop(std::chrono::milliseconds limit);

 private:
  [[nodiscard]] base::Result<void> listen();
  void run();
  void handle(const epoll_event& event);
  void accept();
  void onClient(GateClient& c, std::uint32_t events);
  void onInner(GateClient& c, std::uint32_t events);
  void takeRequest(GateClient& c);
  void handOn(GateClient& c);
  void refuse(GateClient& c, const Response& response, std::string_view method);
  void passAnswer(GateClient& c);
  void answered(GateClient& c);
  void linger(GateClient& c);
  void settle(GateClient& c);
  void watch(int handle, std::uint64_t tag, std::uint32_t wanted, std::uint32_t& current) const;
  void sweep();
  void beginStop();

  // Passed in.
  GateSettings settings_;
  std::function<void(std::string_view, int)> refused_;
  // Owned.
  base::Handle listener_;
  base::Handle poll_;
  base::Handle wake_;
  std::thread thread_;
  std::unordered_map<std::uint64_t, std::unique_ptr<GateClient>> clients_;
  // Derived.
  std::uint16_t port_ = 0;
  std::uint64_t next_id_ = kFirstClientId;
  std::atomic<bool> is_stop_wanted_{false};
  std::atomic<Clock::time_point> stop_deadline_{};
  bool is_stopping_ = false;
  std::uint32_t listener_interest_ = GateClient::kNotWatched;
};

base::Result<void> Gate::Loop::listen() {
  const std::string place = settings_.address + ":" + std::to_string(settings_.port);
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(settings_.address.c_str(), std::to_string(settings_.port).c_str(), &hints, &found) != 0) {
    return base::fail(base::ErrorCode::kInvalid, "cannot listen for HTTP on " + place + ": not an address of this machine");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
  const int on = 1;
  listener_ = base::Handle(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::setsockopt(listener_.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener_.value(), address->ai_addr, address->ai_addrlen) != 0 || ::listen(listener_.value(), kBacklog) != 0) {
    const int error = errno;
    const std::string why = error == EADDRINUSE ? "the port is taken" : std::generic_category().message(error);
    return base::fail(base::ErrorCode::kUnavailable, "cannot listen for HTTP on " + place + ": " + why);
  }
  sockaddr_storage name = {};
  socklen_t length = sizeof name;
  ::getsockname(listener_.value(), reinterpret_cast<sockaddr*>(&name), &length);
  port_ = ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(name).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(name).sin_port);
  return {};
}

base::Result<void> Gate::Loop::start() {
  TG_TRY(listen());
  poll_ = base::Handle(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = base::Handle(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!poll_.isOpen() || !wake_.isOpen()) {
    return base::fail(base::ErrorCode::kUnavailable, "cannot serve HTTP: " + std::generic_category().message(errno));
  }
  std::uint32_t wake_interest = GateClient::kNotWatched;
  watch(wake_.value(), kWakeTag, EPOLLIN, wake_interest);
  watch(listener_.value(), kListenTag, EPOLLIN, listener_interest_);
  thread_ = std::thread([this] { run(); });
  return {};
}

void Gate::Loop::stop(std::chrono::milliseconds limit) {
  if (!thread_.joinable()) {
    return;
  }
  stop_deadline_ = Clock::now() + limit;
  is_stop_wanted_ = true;
  ::eventfd_write(wake_.value(), 1);
  thread_.join();
}

void Gate::Loop::run() {
  std::array<epoll_event, 64> events = {};
  auto next_sweep = Clock::now();
  while (!is_stopping_ || (!clients_.empty() && Clock::now() < stop_deadline_.load())) {
    const int wait = clients_.empty() && listener_interest_ == EPOLLIN ? -1 : kSweepMilliseconds;
    const int count = ::epoll_wait(poll_.value(), events.data(), static_cast<int>(events.size()), wait);
    for (int i = 0; i < count; ++i) {
      handle(events[static_cast<std::size_t>(i)]);
    }
    if (is_stop_wanted_ && !is_stopping_) {
      beginStop();
    }
    if (Clock::now() >= next_sweep) {
      sweep();
      next_sweep = Clock::now() + std::chrono::milliseconds{kSweepMilliseconds};
    }
  }
  clients_.clear();
}

void Gate::Loop::handle(const epoll_event& event) {
  const std::uint64_t tag = event.data.u64;
  if (tag == kListenTag) {
    return accept();
  }
  if (tag == kWakeTag) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.value(), &count);
    return;
  }
  const auto found = clients_.find(tag / 2);
  if (found == clients_.end()) {
    return;  // closed by an earlier event of this turn
  }
  GateClient& c = *found->second;
  if (tag % 2 == 0) {
    onClient(c, event.events);
  } else if (c.inner.isOpen()) {
    onInner(c, event.events);
  }
  settle(c);
}

void Gate::Loop::accept() {
  sockaddr_storage name = {};
  socklen_t length = sizeof name;
  base::Handle handle(::accept4(listener_.value(), reinterpret_cast<sockaddr*>(&name), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!handle.isOpen() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
    return watch(listener_.value(), kListenTag, 0, listener_interest_);  // until the next sweep, so as not to spin
  }
  if (!handle.isOpen() || clients_.size() >= settings_.connections_max * 2) {
    return;
  }
  setNoDelay(handle.value());
  auto fresh = std::make_unique<GateClient>();
  GateClient& c = *fresh;
  c.id = next_id_++;
  c.client = std::move(handle);
  c.remote = remoteText(name, length);
  c.deadline = Clock::now() + settings_.head_timeout;
  clients_.emplace(c.id, std::move(fresh));
  if (clients_.size() > settings_.connections_max) {
    refuse(c, problem(503, "Service Unavailable", "too many connections; try again"), "");
  }
  settle(c);
}

void Gate::Loop::onClient(GateClient& c, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && !writeSome(c.client.value(), c.out)) {
    c.phase = Phase::kClosed;
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    c.phase = Phase::kClosed;
    return;
  }
  if ((events & EPOLLIN) != 0) {
    const bool was_idle = c.in.empty();
    const Read read = readSome(c.client.value(), c.in);
    if (read == Read::kEnd || read == Read::kBroken) {
      c.phase = Phase::kClosed;
      return;
    }
    if (c.phase == Phase::kLingering) {
      c.in.clear();
    } else if (c.phase == Phase::kHead && was_idle) {
      c.deadline = Clock::now() + settings_.head_timeout;
    }
    takeRequest(c);
  }
  passAnswer(c);
}

// Looks at what has come, as far as it goes.
void Gate::Loop::takeRequest(GateClient& c) {
  if (c.phase == Phase::kHead) {
    c.in.erase(0, std::min(c.in.find_first_not_of("\r\n"), c.in.size()));  // empty lines before a request are allowed
    const auto end = c.in.find("\r\n\r\n");
    if (end == std::string::npos ? c.in.size() > kHeadBytesMax : end > kHeadBytesMax) {
      return refuse(c, problem(431, "Request Header Fields Too Large", "the head is too long"), "");
    }
    if (end == std::string::npos) {
      return;
    }
    auto head = parseHead(std::string_view(c.in).substr(0, end + 4), settings_.body_bytes_max);
    if (!head) {
      return refuse(c, head.error(), std::string_view(c.in).substr(0, 5) == "HEAD " ? "HEAD" : "");
    }
    c.in.erase(0, end + 4);
    c.head = std::move(*head);
    c.phase = Phase::kBody;
    c.deadline = Clock::now() + settings_.body_timeout;
    if (c.head.is_continue_awaited && c.in.size() < c.head.body_bytes) {
      c.out += "HTTP/1.1 100 Continue\r\n\r\n";
    }
  }
  if (c.phase == Phase::kBody && c.in.size() >= c.head.body_bytes) {
    handOn(c);
  }
}

void Gate::Loop::handOn(GateClient& c) {
  c.head.is_kept_open = c.head.is_kept_open && !is_stopping_;
  std::vector<std::pair<std::string, std::string>> ours = {{std::string(kGateSecretHeader), settings_.secret},
                                                           {std::string(kGateRemoteHeader), c.remote}};
  if (!c.head.is_kept_open) {
    ours.emplace_back(kGateLastHeader, "1");
  }
  c.to_inner = writeHead(c.head, ours) + c.in.substr(0, c.head.body_bytes);
  c.in.erase(0, c.head.body_bytes);
  c.inner = base::Handle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  setNoDelay(c.inner.value());
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(settings_.inner_port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(c.inner.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 && errno != EINPROGRESS) {
    return refuse(c, problem(503, "Service Unavailable", "the server is overloaded; try again"), c.head.method);
  }
  c.phase = Phase::kAnswer;
  c.is_answer_whole = false;
  c.has_answer = false;
  c.inner_interest = GateClient::kNotWatched;
}

void Gate::Loop::onInner(GateClient& c, std::uint32_t events) {
  if (!c.to_inner.empty() && !writeSome(c.inner.value(), c.to_inner)) {
    c.to_inner.clear();  // it may have answered before it closed
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
    const std::size_t before = c.out.size();
    const Read read = readSome(c.inner.value(), c.out);
    c.has_answer = c.has_answer || c.out.size() > before;
    if (read == Read::kEnd || read == Read::kBroken) {
      c.inner.reset();
      c.is_answer_whole = true;
    }
    c.deadline = Clock::now() + settings_.write_timeout;
  }
  passAnswer(c);
}

void Gate::Loop::passAnswer(GateClient& c) {
  if (c.phase != Phase::kAnswer && c.phase != Phase::kRefused) {
    return;
  }
  if (c.phase == Phase::kAnswer && c.is_answer_whole && !c.has_answer) {
    return refuse(c, problem(503, "Service Unavailable", "the server gave no answer"), c.head.method);
  }
  const std::size_t before = c.out.size();
  if (!writeSome(c.client.value(), c.out)) {
    c.phase = Phase::kClosed;
    return;
  }
  if (c.out.size() < before) {
    c.deadline = Clock::now() + settings_.write_timeout;
  }
  if (c.out.empty() && (c.phase == Phase::kRefused || c.is_answer_whole)) {
    answered(c);
  }
}

void Gate::Loop::answered(GateClient& c) {
  if (c.phase == Phase::kRefused || !c.head.is_kept_open || is_stopping_) {
    return linger(c);
  }
  c.phase = Phase::kHead;
  c.deadline = Clock::now() + (c.in.empty() ? settings_.idle_timeout : settings_.head_timeout);
  takeRequest(c);  // one that was sent behind the last
}

void Gate::Loop::refuse(GateClient& c, const Response& response, std::string_view method) {
  refused_(method, response.status);
  c.inner.reset();
  c.out += writeLastResponse(response, method);
  c.phase = Phase::kRefused;
  c.deadline = Clock::now() + settings_.write_timeout;
  passAnswer(c);
}

void Gate::Loop::linger(GateClient& c) {
  ::shutdown(c.client.value(), SHUT_WR);
  c.in.clear();
  c.phase = Phase::kLingering;
  c.deadline = Clock::now() + kLingerTime;
}

// After every step: lets go of what is closed, and watches for what is wanted next.
void Gate::Loop::settle(GateClient& c) {
  if (c.phase == Phase::kClosed) {
    clients_.erase(c.id);
    return;
  }
  const bool is_reading = c.phase == Phase::kHead || c.phase == Phase::kBody || c.phase == Phase::kLingering;
  watch(c.client.value(), c.id * 2, (is_reading ? EPOLLIN : 0U) | (c.out.empty() ? 0U : EPOLLOUT), c.client_interest);
  if (c.inner.isOpen()) {
    const bool is_wanted = c.to_inner.empty() && c.out.size() < kOutBytesMax;
    watch(c.inner.value(), c.id * 2 + 1, (is_wanted ? EPOLLIN : 0U) | (c.to_inner.empty() ? 0U : EPOLLOUT), c.inner_interest);
  }
}

void Gate::Loop::watch(int handle, std::uint64_t tag, std::uint32_t wanted, std::uint32_t& current) const {
  if (current == wanted) {
    return;
  }
  epoll_event event = {};
  event.events = wanted;
  event.data.u64 = tag;
  ::epoll_ctl(poll_.value(), current == GateClient::kNotWatched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, handle, &event);
  current = wanted;
}

void Gate::Loop::sweep() {
  const auto now = Clock::now();
  if (listener_.isOpen()) {
    watch(listener_.value(), kListenTag, EPOLLIN, listener_interest_);
  }
  std::vector<std::uint64_t> late;
  for (const auto& [id, client] : clients_) {
    // A handler may take as long as it likes; only a client that does not take its answer is late in kAnswer.
    const bool is_timed = client->phase != Phase::kAnswer || !client->out.empty();
    if (is_timed && client->deadline < now) {
      late.push_back(id);
    }
  }
  for (const std::uint64_t id : late) {
    GateClient& c = *clients_.at(id);
    if ((c.phase == Phase::kHead && !c.in.empty()) || c.phase == Phase::kBody) {
      refuse(c, problem(408, "Request Timeout", "the request did not arrive in time"), "");
    } else {
      c.phase = Phase::kClosed;
    }
    settle(c);
  }
}

void Gate::Loop::beginStop() {
  is_stopping_ = true;
  listener_.reset();
  std::vector<std::uint64_t> idle;
  for (const auto& [id, client] : clients_) {
    if (client->phase == Phase::kHead || client->phase == Phase::kBody) {
      idle.push_back(id);
    }
  }
  for (const std::uint64_t id : idle) {
    clients_.erase(id);
  }
}

Gate::Gate(GateSettings settings, std::function<void(std::string_view, int)> refused)
    : loop_(std::make_unique<Loop>(std::move(settings), std::move(refused))) {}
Gate::~Gate() = default;

base::Result<void> Gate::start() {
  return loop_->start();
}
std::uint16_t Gate::port() const {
  return loop_->port();
}
void Gate::stop(std::chrono::milliseconds limit) {
  loop_->stop(limit);
}

}  // namespace tollgate::http
