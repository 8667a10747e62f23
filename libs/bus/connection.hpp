// One connection to NATS. A process has two. kRequests sends every message without delay, and buffers little while it is disconnected,
// because the asker of an old request no longer waits; kEvents buffers. A connection reconnects until it is destroyed. It owns its native
// connection, which it replaces when the library stops reconnecting, and a thread for that. Any thread may call any member.
#pragma once

#include <chrono>
#include <cstdint>
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
  std::string_view reply_to;   // empty = the sender expects no reply
  std::string_view status;     // of a message of the server without content, e.g. 408; else empty
  bool no_responders = false;  // the server reports that no subscriber listens to the subject of the request
};

// A subscription. Its destructor unsubscribes and waits until the messages received so far are handled; afterwards the handler does not run
// any more. When it is destroyed on a bus thread, queued messages may be dropped. May outlive its connection.
class Subscription {
 public:
  struct State;
  explicit Subscription(std::shared_ptr<State> state);
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  // Messages that were received and wait for the handler. Any thread.
  [[nodiscard]] std::uint64_t waiting() const;

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
  telemetry::Counter& rebuilds;                                    // times it was replaced: credentials refused, closed by the library
  telemetry::Counter& errors;                                      // slow consumers, permission violations; each is logged
  telemetry::Counter& late_requests;                               // read or answered after their budget of time was over, and dropped
};

class Connection {
 public:
  // Does not fail when the server is away: the connection comes up when the server does. Errors: bad URL, bad CA file.
  // Without `metrics`, as in tests, the counters belong to the connection and nobody exports them.
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(const ConnectionSettings& settings, ConnectionKind kind,
                                                                      std::optional<ExportTo> metrics = std::nullopt);
  // Waits for handlers that are running; none runs afterwards. Requires: not called by a handler of onChange.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool isConnected() const;
  // Called (on a bus thread, must not block or call onChange) with true/false whenever the connection comes or goes. Handlers stay until
  // the connection is destroyed.
  void onChange(std::function<void(bool connected)> handler);

  // Errors: kUnavailable: the bus is not connected and the buffer is full.
  [[nodiscard]] base::Result<void> publish(std::string_view subject, std::string_view data);
  [[nodiscard]] base::Result<void> publishRequest(std::string_view subject, std::string_view reply_to, std::string_view data);
  // Sends the header Nats-Msg-Id, by which JetStream recognises duplicates. Errors: as publish().
  [[nodiscard]] base::Result<void> publishRecord(std::string_view subject, std::string_view reply_to, std::string_view message_id,
                                                 std::string_view data);

  // The handler runs on a delivery thread, in order per subscription, and must not block. queue = "" for a plain subscription.
  // Errors: kInvalid: the subject is not valid; kInternal.
  [[nodiscard]] base::Result<Subscription> subscribe(std::string_view subject, std::string_view queue,
                                                     std::function<void(const Delivery&)> handler);

  // Waits until the server has received what was published. For start-up and tests. Errors: kTimeout; kUnavailable.
  [[nodiscard]] base::Result<void> flush(std::chrono::milliseconds timeout);

  [[nodiscard]] const ConnectionMetrics& metrics() const;

  struct State;
  [[nodiscard]] State& state() { return *state_; }  // for libs/bus itself

 private:
  explicit Connection(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with subscriptions and callbacks, which may outlive the connection
};

}  // namespace tollgate::bus
