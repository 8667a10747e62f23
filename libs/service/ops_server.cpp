#include "libs/service/ops_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
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
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "libs/base/assert.hpp"
#include "libs/base/handle.hpp"
#include "libs/base/worker.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::service {

namespace {

// Twice the connections that may wait: one that was shut down keeps its thread for a moment, and a probe must not wait for that.
constexpr std::size_t kThreads = 2 * OpsServer::kWaitingMax;
constexpr const char* kRequestTimeoutMs = "2000";  // to send the head of a request, and to take the answer
constexpr const char* kRequestBytesMax = "8192";
constexpr const char* kBacklog = "512";
constexpr auto kRoomEvery = std::chrono::milliseconds(2);
constexpr auto kGrace = std::chrono::milliseconds(5);  // for a new client to send its request

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

using Time = std::chrono::steady_clock::time_point;

// One accepted connection.
struct Connection {
  base::Handle handle;      // a duplicate: civetweb may close its own at any time
  ino_t identity = 0;       // of the socket; a later connection has another
  bool is_waiting = false;  // for its client, which has sent nothing that is unread, or does not take its answer
  Time known_since;
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

// The connection behind `handle`; nothing for every other descriptor of the process.
std::optional<Connection> connectionOn(int handle, std::uint16_t port, const std::set<std::string>& answering) {
  if (localPort(handle) != port) {
    return std::nullopt;
  }
  Connection connection{base::Handle(::fcntl(handle, F_DUPFD_CLOEXEC, 0)), 0, false, {}};
  const int own = connection.handle.value();
  struct stat status = {};
  sockaddr_storage peer = {};
  socklen_t peer_length = sizeof peer;
  // The listener has no peer.
  if (localPort(own) != port || ::fstat(own, &status) != 0 || ::getpeername(own, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    return std::nullopt;
  }
  pollfd entry = {own, POLLIN, 0};
  const bool has_unread_or_ended = ::poll(&entry, 1, 0) != 0;
  connection.identity = status.st_ino;
  connection.is_waiting = !has_unread_or_ended && !answering.contains(placeOf(peer, peer_length));
  return connection;
}

// civetweb does not tell the descriptors of its sockets, so they are found in the process's table by their local port. The table is read
// first: what is opened meanwhile must not be met again.
std::vector<int> allDescriptors() {
  std::vector<int> all;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    all.push_back(std::atoi(entry->path().filename().c_str()));
  }
  return all;
}

std::vector<Connection> allConnections(std::uint16_t port, const std::set<std::string>& answering) {
  std::vector<Connection> found;
  for (const int handle : allDescriptors()) {
    if (auto connection = connectionOn(handle, port, answering)) {
      found.push_back(std::move(*connection));
    }
  }
  return found;
}

// Wakes civetweb's accepting thread, which otherwise looks for the end of its work every two seconds only.
void shutDownListener(std::uint16_t port) {
  for (const int handle : allDescriptors()) {
    int is_listening = 0;
    socklen_t length = sizeof is_listening;
    if (localPort(handle) == port && ::getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0 && is_listening != 0) {
      ::shutdown(handle, SHUT_RDWR);
    }
  }
}

}  // namespace

struct OpsServer::State {
  State(std::string given_address, std::uint16_t given_port, std::function<void()> dropped)
      : address(std::move(given_address)), port(given_port), connection_dropped(std::move(dropped)) {}

  void admit();
  void keepRoom();
  void makeRoom(std::size_t waiting_max, std::chrono::milliseconds grace);
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
  std::set<std::string> answering;    // peers whose request a handler works on
  std::map<ino_t, Time> known_since;  // of the connections that the last makeRoom() saw
  // Owned; last, because its thread uses the others.
  base::Worker room_maker;
};

// On the thread that will serve a new connection, before its request is read.
void OpsServer::State::admit() {
  if (++served > kWaitingMax) {
    room_maker.wake();
  }
}

// Repeats while many connections are served: a client whose bytes are unread now is waited for again a moment later.
void OpsServer::State::keepRoom() {
  while (served > kWaitingMax ? room_maker.pauseFor(kRoomEvery) : room_maker.wait()) {
    makeRoom(kWaitingMax, kGrace);
  }
}

// Shuts down the connections that have been known longest, however lately their client sent a byte, until at most `waiting_max` wait for
// their client. Those known for less than `grace` stay.
void OpsServer::State::makeRoom(std::size_t waiting_max, std::chrono::milliseconds grace) {
  std::size_t dropped = 0;
  {
    const std::lock_guard lock(mutex);
    auto connections = allConnections(port, answering);
    const Time now = std::chrono::steady_clock::now();
    std::map<ino_t, Time> known;
    for (Connection& one : connections) {
      const auto before = known_since.find(one.identity);
      one.known_since = before == known_since.end() ? now : before->second;
      known.emplace(one.identity, one.known_since);
    }
    known_since = std::move(known);
    std::erase_if(connections, [](const Connection& one) { return !one.is_waiting; });
    std::sort(connections.begin(), connections.end(),
              [](const Connection& left, const Connection& right) { return left.known_since < right.known_since; });
    const std::size_t excess = connections.size() - std::min(connections.size(), waiting_max);
    while (dropped < excess && connections[dropped].known_since + grace <= now) {
      ::shutdown(connections[dropped++].handle.value(), SHUT_RDWR);
    }
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
    telemetry::debug("message of the operations server", {{"text", std::string_view(message)}});
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
  state_->room_maker.start("ops_room", [state = state_.get()] { state->keepRoom(); });
  return {};
}

void OpsServer::stop() {
  if (state_->context == nullptr) {
    return;
  }
  state_->room_maker.stop();
  shutDownListener(state_->port);
  state_->makeRoom(0, {});  // a thread that waits for its client would hold up the end by two seconds
  mg_stop(std::exchange(state_->context, nullptr));
  mg_exit_library();
}

}  // namespace tollgate::service
