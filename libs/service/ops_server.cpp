#include "libs/service/ops_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <civetweb.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "libs/base/assert.hpp"
#include "libs/base/handle.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::service {

namespace {

// Twice the connections that may wait: one that was shut down keeps its thread for a moment, and a probe must not wait for that.
constexpr std::size_t kThreads = 2 * OpsServer::kWaitingMax;
constexpr const char* kRequestTimeoutMs = "2000";  // to send the head of a request, and to take the answer
constexpr const char* kRequestBytesMax = "8192";
constexpr const char* kBacklog = "512";

std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

// One accepted connection for which the server waits: the client has sent nothing that is unread, or does not take its answer.
struct Waiting {
  base::Handle handle;  // a duplicate: civetweb may close its own at any time
  std::uint32_t silent_ms = 0;
};

std::string placeOf(const sockaddr_storage& name, socklen_t length) {
  std::array<char, NI_MAXHOST> host = {};
  std::array<char, NI_MAXSERV> port = {};
  const int result = ::getnameinfo(reinterpret_cast<const sockaddr*>(&name), length, host.data(), host.size(), port.data(), port.size(),
                                   NI_NUMERICHOST | NI_NUMERICSERV);
  return result == 0 ? std::string(host.data()) + " " + port.data() : std::string();
}

std::uint16_t localPort(int handle) {
  sockaddr_storage name = {};
  socklen_t length = sizeof name;
  if (::getsockname(handle, reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return 0;
  }
  // Both families have the port at the same place.
  const bool is_internet = name.ss_family == AF_INET || name.ss_family == AF_INET6;
  return is_internet ? ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port) : std::uint16_t{0};
}

// The connection behind `handle` when the server waits for its client; nothing for every other descriptor of the process.
std::optional<Waiting> waitingOn(int handle, std::uint16_t port, const std::set<std::string>& answering) {
  if (localPort(handle) != port) {
    return std::nullopt;
  }
  Waiting waiting{base::Handle(::fcntl(handle, F_DUPFD_CLOEXEC, 0)), 0};
  const int own = waiting.handle.value();
  tcp_info info = {};
  socklen_t info_length = sizeof info;
  if (localPort(own) != port || ::getsockopt(own, IPPROTO_TCP, TCP_INFO, &info, &info_length) != 0 || info.tcpi_state == TCP_LISTEN) {
    return std::nullopt;
  }
  pollfd entry = {own, POLLIN, 0};
  const bool has_unread_or_ended = ::poll(&entry, 1, 0) != 0;
  sockaddr_storage peer = {};
  socklen_t peer_length = sizeof peer;
  if (has_unread_or_ended || ::getpeername(own, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0 ||
      answering.contains(placeOf(peer, peer_length))) {
    return std::nullopt;
  }
  waiting.silent_ms = info.tcpi_last_data_recv;
  return waiting;
}

// civetweb does not tell the descriptors of its sockets, so they are found in the process's table by their local port.
void forEachDescriptor(const std::function<void(int)>& use) {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    use(std::atoi(entry->path().filename().c_str()));
  }
}

// The longest silent first.
std::vector<Waiting> allWaiting(std::uint16_t port, const std::set<std::string>& answering) {
  std::vector<Waiting> found;
  forEachDescriptor([&](int handle) {
    if (auto waiting = waitingOn(handle, port, answering)) {
      found.push_back(std::move(*waiting));
    }
  });
  std::sort(found.begin(), found.end(), [](const Waiting& left, const Waiting& right) { return left.silent_ms > right.silent_ms; });
  return found;
}

// Wakes civetweb's accepting thread, which otherwise looks for the end of its work every two seconds only.
void shutDownListener(std::uint16_t port) {
  forEachDescriptor([port](int handle) {
    int is_listening = 0;
    socklen_t length = sizeof is_listening;
    if (localPort(handle) == port && ::getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0 && is_listening != 0) {
      ::shutdown(handle, SHUT_RDWR);
    }
  });
}

}  // namespace

struct OpsServer::State {
  State(std::string given_address, std::uint16_t given_port, std::function<void()> dropped)
      : address(std::move(given_address)), port(given_port), connection_dropped(std::move(dropped)) {}

  void admit();
  void makeRoom(std::size_t waiting_max);
  int answer(mg_connection* connection);
  [[nodiscard]] OpsResponse handle(const mg_request_info& request);

  static State& of(const mg_connection* connection) { return *static_cast<State*>(mg_get_user_data(mg_get_context(connection))); }

  // Passed in.
  const std::string address;
  const std::uint16_t port;
  const std::function<void()> connection_dropped;
  std::map<std::string, Handler, std::less<>> handlers;
  // Owned.
  mg_context* context = nullptr;
  // Derived.
  std::atomic<std::size_t> served{0};
  std::mutex mutex;
  std::set<std::string> answering;  // peers whose request a handler works on
};

// On the thread that will serve a new connection, before its request is read.
void OpsServer::State::admit() {
  if (++served > kWaitingMax) {
    makeRoom(kWaitingMax);
  }
}

void OpsServer::State::makeRoom(std::size_t waiting_max) {
  std::size_t dropped = 0;
  {
    const std::lock_guard lock(mutex);
    const auto waiting = allWaiting(port, answering);
    dropped = waiting.size() - std::min(waiting.size(), waiting_max);
    std::for_each_n(waiting.begin(), dropped, [](const Waiting& one) { ::shutdown(one.handle.value(), SHUT_RDWR); });
  }
  for (std::size_t i = 0; i < dropped; ++i) {
    connection_dropped();
  }
}

OpsResponse OpsServer::State::handle(const mg_request_info& request) {
  const std::string_view method = request.request_method;
  const auto found = handlers.find(std::string_view(request.local_uri == nullptr ? "" : request.local_uri));
  if (found == handlers.end()) {
    return {404, "text/plain", "nothing is here\n"};
  }
  if (method != "GET" && method != "HEAD") {
    return {405, "text/plain", "only GET and HEAD are possible\n"};
  }
  const std::string peer = std::string(request.remote_addr) + " " + std::to_string(request.remote_port);
  const auto mark = [&](bool is_answering) {
    const std::lock_guard lock(mutex);
    is_answering ? (void)answering.insert(peer) : (void)answering.erase(peer);
  };
  mark(true);
  OpsResponse response = found->second();
  mark(false);
  return response;
}

int OpsServer::State::answer(mg_connection* connection) {
  const mg_request_info& request = *mg_get_request_info(connection);
  const OpsResponse response = handle(request);
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(phrase(response.status)) + "\r\n";
  text += "Content-Type: " + response.content_type + "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  text += response.status == 405 ? "Allow: GET, HEAD\r\n" : "";
  text += "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (std::string_view(request.request_method) != "HEAD") {
    text += response.body;
  }
  (void)mg_write(connection, text.data(), text.size());  // a client that has gone is no error
  mg_disable_keep_alive(connection);
  return response.status;
}

OpsServer::OpsServer(std::string address, std::uint16_t port, std::function<void()> connection_dropped)
    : state_(std::make_unique<State>(std::move(address), port, std::move(connection_dropped))) {}

OpsServer::~OpsServer() {
  stop();
}

void OpsServer::route(std::string path, Handler handler) {
  TG_ASSERT(state_->context == nullptr);
  state_->handlers.emplace(std::move(path), std::move(handler));
}

base::Result<void> OpsServer::start() {
  TG_ASSERT(state_->context == nullptr);
  mg_init_library(MG_FEATURES_DEFAULT);
  const bool is_v6 = state_->address.find(':') != std::string::npos;
  const std::string place = (is_v6 ? "[" + state_->address + "]" : state_->address) + ":" + std::to_string(state_->port);
  const std::string threads = std::to_string(kThreads);
  // No document root, and every request goes to begin_request: civetweb's own files, listings, CGI and uploads are out of reach.
  std::array<const char*, 15> options = {"listening_ports",
                                         place.c_str(),
                                         "num_threads",
                                         threads.c_str(),
                                         "request_timeout_ms",
                                         kRequestTimeoutMs,
                                         "max_request_size",
                                         kRequestBytesMax,
                                         "enable_keep_alive",
                                         "no",
                                         "listen_backlog",
                                         kBacklog,
                                         "tcp_nodelay",
                                         "1",
                                         nullptr};
  mg_callbacks callbacks = {};
  callbacks.begin_request = [](mg_connection* connection) { return State::of(connection).answer(connection); };
  callbacks.init_connection = [](const mg_connection* connection, void**) {
    State::of(connection).admit();
    return 0;
  };
  callbacks.connection_close = [](const mg_connection* connection) { --State::of(connection).served; };
  callbacks.log_message = [](const mg_connection*, const char* message) {
    telemetry::debug("operations endpoint", {{"message", std::string_view(message)}});
    return 1;
  };
  mg_init_data init = {&callbacks, state_.get(), options.data()};
  unsigned code = 0;
  std::array<char, 256> text = {};
  mg_error_data error = {&code, text.data(), text.size()};
  state_->context = mg_start2(&init, &error);
  if (state_->context == nullptr) {
    mg_exit_library();
    return base::fail(base::ErrorCode::kUnavailable, "cannot listen for HTTP on " + place + ": " + text.data());
  }
  return {};
}

void OpsServer::stop() {
  if (state_->context == nullptr) {
    return;
  }
  shutDownListener(state_->port);
  state_->makeRoom(0);  // a thread that waits for its client would hold up the end by two seconds
  mg_stop(std::exchange(state_->context, nullptr));
  mg_exit_library();
}

}  // namespace tollgate::service
