// Keeps the list of authorised networks current (REQUIREMENTS 2.4, 3.8). It asks auth every `poll` with the version last seen, and more
// often for a second after a configuration event. Owns a thread that reads and builds the list, so that the loop need not. While auth or
// the bus is unavailable, the last list stays in use. start() and stop(): main thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "libs/base/result.hpp"
#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/digits/network_map.hpp"

namespace tollgate::ingress {

class NetworkWatch {
 public:
  using Changed = std::function<void(std::shared_ptr<const digits::NetworkSet>)>;  // on the watch's thread

  NetworkWatch(bus::Connection& connection, std::chrono::milliseconds poll, std::chrono::milliseconds timeout, Changed changed);
  ~NetworkWatch();
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  // Errors: those of bus::Connection::subscribe().
  [[nodiscard]] base::Result<void> start();
  void stop();

 private:
  void run();
  void ask();

  // Passed in.
  bus::Connection& connection_;
  const std::chrono::milliseconds poll_;
  const std::chrono::milliseconds timeout_;
  Changed changed_;
  // Owned.
  bus::RpcClient client_;
  std::atomic<bool> config_changed_ = false;  // set on a bus thread
  std::optional<bus::Subscription> config_changes_;
  // Derived; the watch's thread only.
  bool has_list_ = false;
  std::uint64_t version_ = 0;
  // Owned; last, because its thread uses the others.
  base::Worker worker_;
};

}  // namespace tollgate::ingress
