// Keeps the list of authorised networks current (REQUIREMENTS 2.4, 3.8): asks auth with the version last seen every `poll`, faster for a
// second after a configuration event. Owns a thread, on which the list is read and built, so the loop never does. While auth or the bus is
// unavailable, the last list stays. start() and stop(): main thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "libs/base/result.hpp"
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

  [[nodiscard]] base::Result<void> start();
  void stop();

 private:
  void run();
  void ask();
  void nudge();

  // Passed in.
  bus::Connection& connection_;
  const std::chrono::milliseconds poll_;
  const std::chrono::milliseconds timeout_;
  Changed changed_;
  // Owned.
  bus::RpcClient client_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool nudged_ = false;
  std::thread thread_;
  std::optional<bus::Subscription> config_changes_;
  // Derived; the watch's thread only.
  bool has_list_ = false;
  std::uint64_t version_ = 0;
};

}  // namespace tollgate::ingress
