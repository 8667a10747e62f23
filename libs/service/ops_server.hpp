// HTTP for probes and scrapers: answers GET and HEAD of a few fixed paths and serves nothing else. It wraps civetweb, which prometheus-cpp
// brings along; only this folder includes it. start() and stop(): owner's thread. Handlers run on the server's own threads, several at a
// time. Owns the listening port, the threads and the connections.
//
// Clients that send nothing, send slowly, do not read their answers or connect again whenever they are dropped cannot keep a probe waiting:
// while more than kWaitingMax connections wait for their client, a thread shuts down those that it has known longest. A new connection has
// 5 ms to send its request before that may happen to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libs/base/result.hpp"

namespace tollgate::service {

struct OpsResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class OpsServer {
 public:
  using Handler = std::function<OpsResponse()>;

  static constexpr std::size_t kWaitingMax = 8;

  // `connection_dropped` is called once for every connection that is shut down to make room; any thread.
  OpsServer(std::string address, std::uint16_t port, std::function<void()> connection_dropped);
  ~OpsServer();  // stops
  OpsServer(const OpsServer&) = delete;
  OpsServer& operator=(const OpsServer&) = delete;

  // Requires: before start(). The handler must not throw.
  void route(std::string path, Handler handler);
  // Requires: not started before, not even when stopped since.
  // Errors: kUnavailable, naming address and port, when it cannot listen there.
  [[nodiscard]] base::Result<void> start();
  // Returns when no handler runs any more.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::service
