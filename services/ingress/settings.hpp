// The ingress's settings. A default stands here, or in the struct of the library that the setting is for, and nowhere else: the loader is
// given what the struct holds. Start-up thread only; plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "libs/base/reason.hpp"
#include "libs/bus/connection.hpp"
#include "libs/call/types.hpp"
#include "libs/config/loader.hpp"

namespace tollgate::ingress {

struct ListenAddress {
  std::string address;
  std::uint16_t port = 5060;
};

// "udp:127.0.0.1:5060", "udp:[::1]:5060". Errors: kInvalid, which names what is wrong.
[[nodiscard]] base::Result<ListenAddress> parseListen(const std::string& text);

struct Settings {
  bus::ConnectionSettings bus;
  std::vector<ListenAddress> listen{{"127.0.0.1", 5060}};
  std::string advertised_address;  // "" = as bound
  std::string server_name;         // "" = no Server or User-Agent header (REQUIREMENTS 6.1)
  std::string hop_marker;          // "" = one made at start
  call::Policy policy;
  std::chrono::milliseconds auth_timeout{500};
  std::chrono::milliseconds routing_timeout{500};
  std::chrono::milliseconds billing_timeout{500};
  std::chrono::milliseconds networks_poll{500};
  bool drop_unknown_sources = false;
  std::uint32_t unknown_source_answers_per_second = 100;
  std::chrono::milliseconds unknown_source_summary{10'000};
  std::size_t max_calls = 20'000;
  int retry_after_seconds = 3;
  std::string spool_dir = "var/ingress-spool";
  std::chrono::milliseconds record_ack_timeout{2000};
  std::chrono::milliseconds release_after{2000};
  std::int64_t spool_bytes_max = 4'000'000'000;
  std::size_t unstored_calls_max = 200'000;
};

// Declares and reads all settings. What is wrong is reported by loader.finish() (REQUIREMENTS 12.1).
[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::ingress
