// Stands between the network and the HTTP library, whose listener buffers without limit, waits without end and dies of a negative chunk
// length. The gate reads each request whole within its limits (bytes of head and body, time, number of connections), then hands it on, on
// loopback, in one clean form, and passes the answer back as it comes. One thread of its own; start() and stop() on the owner's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::http {

struct GateSettings {
  std::string address;
  std::uint16_t port = 0;
  std::uint16_t inner_port = 0;  // where the library listens, on 127.0.0.1
  std::string secret;            // proves to the inner side that the gate speaks
  std::size_t connections_max = 256;
  std::size_t body_bytes_max = 1U << 20U;
  std::chrono::milliseconds head_timeout{10000};
  std::chrono::milliseconds body_timeout{10000};
  std::chrono::milliseconds idle_timeout{60000};   // between requests
  std::chrono::milliseconds write_timeout{30000};  // a client that does not take its answer
};

// Headers of ours on what is handed on; a client cannot send them.
constexpr std::string_view kGateSecretHeader = "tollgate-gate-secret";
constexpr std::string_view kGateRemoteHeader = "tollgate-gate-remote";
constexpr std::string_view kGateLastHeader = "tollgate-gate-last";  // the connection ends after the answer

class Gate {
 public:
  // `refused` is told of every request the gate answers itself, on its thread.
  Gate(GateSettings settings, std::function<void(std::string_view method, int status)> refused);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] base::Result<void> start();  // kUnavailable with the place when the port is taken
  [[nodiscard]] std::uint16_t port() const;
  // Takes nothing new, waits for the answers that are under way, at most `limit`.
  void stop(std::chrono::milliseconds limit);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tollgate::http
