// One connection to NATS. A process has two: kRequests sends every message without delay and buffers little while it is disconnected,
// because an old request is answered for nobody; kEvents buffers. A connection reconnects for as long as it lives. It owns its native
// connection, which it makes anew when the library gives it up, and a thread for that. Any thread may call any member.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"
#include "libs/telemetry/metrics.hpp"

namespace tollgate::bus {

struct ConnectionSettings {
  std::string url;  // nats://127.0.0.1:24222
  std::string user;
  std::string password;
  std::string ca_file;  // not empty: TLS with this CA and host name check
  std::string name;     // shown by the server
};

enum class ConnectionKind { kRequests, kEvents };

// A message as a subscriber sees it; the views live as long as the handler runs.
struct Delivery {
  std::string_view subject;
  std::string_view data;
  std::string_view reply_to;   // empty = no reply wanted
  bool no_responders = false;  // nobody listens to the subject of the request, says the server
};

// Unsubscribes when destroyed, after what was received has been handled; the handler does not run any more afterwards. Destroy it on a
// thread of your own: on a bus thread what is still queued may be dropped. May outlive its connection.
class Subscription {
 public:
  struct State;
  explicit Subscription(std::shared_ptr<State> state);
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

 private:
  std::shared_ptr<State> state_;  // shared with the delivery callback and the connection, which subscribes again after a rebuild
};

// Where the metrics of a connection go; `metrics` outlives it.
struct ExportTo {
  telemetry::Metrics& metrics;
  std::string_view service;
};

// What a connection counts, as metrics tollgate_<service>_bus_*{connection="requests" or "events"}. Any thread.
struct ConnectionMetrics {
  ConnectionMetrics(const ExportTo& target, ConnectionKind kind);  // start-up thread
  telemetry::Counter& losses;                                      // times the connection was lost
  telemetry::Counter& rebuilds;       // times it had to be made anew: credentials refused, closed by the library
  telemetry::Counter& errors;         // slow consumers, permission violations; each is logged
  telemetry::Counter& late_requests;  // read or answered after their deadline, and dropped
};

class Connection {
 public:
  // Does not fail when the server is away: the connection comes up when the server does. Errors: bad URL, bad CA file.
  // Without `metrics`, as in tests, the counters belong to the connection and nobody exports them.
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(const ConnectionSettings& settings, ConnectionKind kind,
                                                                      std::optional<ExportTo> metrics = std::nullopt);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool isConnected() const;
  // Called (on a bus thread, must not block or call onChange) with true/false whenever the connection comes or goes. Handlers stay until
  // the connection is destroyed.
  void onChange(std::function<void(bool connected)> handler);

  // kUnavailable when the bus is down and the buffer full.
  [[nodiscard]] base::Result<void> publish(std::string_view subject, std::string_view data);
  [[nodiscard]] base::Result<void> publishRequest(std::string_view subject, std::string_view reply_to, std::string_view data);
  // With Nats-Msg-Id, for JetStream's duplicate window.
  [[nodiscard]] base::Result<void> publishRecord(std::string_view subject, std::string_view reply_to, std::string_view message_id,
                                                 std::string_view data);

  // The handler runs on a delivery thread, in order per subscription, and must not block. queue = "" for a plain subscription.
  [[nodiscard]] base::Result<Subscription> subscribe(std::string_view subject, std::string_view queue,
                                                     std::function<void(const Delivery&)> handler);

  // Waits until the server has seen what was published. For start-up and tests.
  [[nodiscard]] base::Result<void> flush(std::chrono::milliseconds timeout);

  [[nodiscard]] const ConnectionMetrics& metrics() const;

  struct State;
  [[nodiscard]] State& state() { return *state_; }  // for libs/bus itself

 private:
  explicit Connection(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with subscriptions and callbacks, which may outlive the connection
};

}  // namespace tollgate::bus
