#include "services/ingress/settings.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "libs/bus/settings.hpp"
#include "libs/digits/ip.hpp"

namespace tollgate::ingress {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void readListeners(config::Loader& loader, Settings& settings) {
  for (const auto& text :
       loader.list("listen", "udp:127.0.0.1:5060", "where SIP is taken, e.g. udp:192.0.2.1:5060,udp:[2001:db8::1]:5060")) {
    if (auto parsed = parseListen(text)) {
      settings.listen.push_back(std::move(*parsed));
    } else {
      loader.refuse("listen", parsed.error().message);
    }
  }
  settings.advertised_address = loader.text("advertised_address", "", "IP address written into Via and Contact; empty = the one bound");
  if (!settings.advertised_address.empty() && !digits::IpAddress::parse(settings.advertised_address)) {
    loader.refuse("advertised_address", "an IP address is needed, names are not resolved");
  }
  settings.hop_marker = loader.text("hop_marker", "", "marks our INVITEs so that loops are seen; the same for all ingress of a deployment");
  if (settings.hop_marker.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != std::string::npos) {
    loader.refuse("hop_marker", "letters, digits and - only");
  }
  settings.server_name = loader.text("server_name", "", "Server and User-Agent header; empty = none is sent");
}

void readPolicy(config::Loader& loader, Settings& settings) {
  auto& policy = settings.policy;
  policy.try_timeout =
      loader.duration("try_timeout", seconds(4), milliseconds(100), minutes(1), "INVITE without any response: next endpoint");
  policy.ringing_timeout = loader.duration("ringing_timeout", seconds(90), seconds(1), minutes(30), "when the trunk names none");
  policy.setup_timeout = loader.duration("setup_timeout", seconds(180), seconds(1), hours(1), "from INVITE to answer");
  policy.max_duration = loader.duration("max_call_duration", milliseconds(0), milliseconds(0), hours(240), "of talking; 0 = no limit");
  policy.rpc_timeout = settings.billing_timeout;
  policy.quantum_seconds = static_cast<std::uint32_t>(loader.integer("extend_quantum_seconds", 60, 1, 3600, "largest extension of a hold"));
  policy.heartbeat_seconds = static_cast<std::uint32_t>(loader.integer("heartbeat_seconds", 20, 1, 600, "when billing names none"));
  policy.stop_after_early_media = loader.flag("stop_after_early_media", false, "end the hunt when a carrier fails after early media");
  if (auto map = base::RejectMap::parse(loader.text("reject_map", "", "overrides, e.g. no_route=480/20,no_credit=403/21"))) {
    policy.reject_map = std::move(*map);
  } else {
    loader.refuse("reject_map", map.error().message);
  }
}

}  // namespace

base::Result<ListenAddress> parseListen(const std::string& text) {
  const auto wrong = [&](std::string_view why) {
    return base::fail(base::ErrorCode::kInvalid, "'" + text + "': " + std::string(why) + "; write udp:ADDRESS:PORT");
  };
  if (!text.starts_with("udp:")) {
    return wrong("only udp is spoken yet");
  }
  const std::string_view rest = std::string_view(text).substr(4);
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return wrong("the port is missing");
  }
  auto address = rest.substr(0, colon);
  const auto port = rest.substr(colon + 1);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address needs brackets");
  }
  if (!digits::IpAddress::parse(address)) {
    return wrong("not an IP address");
  }
  ListenAddress listen;
  listen.address = std::string(address);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), listen.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return wrong("not a port");
  }
  return listen;
}

Settings readSettings(config::Loader& loader) {
  Settings settings;
  settings.bus = bus::readSettings(loader, "ingress");
  readListeners(loader, settings);
  const auto timeout = [&](std::string_view name, std::string_view help) {
    return loader.duration(name, milliseconds(500), milliseconds(10), seconds(10), help);
  };
  settings.auth_timeout = timeout("auth_timeout", "for auth's answer; then 503 decision_unavailable");
  settings.routing_timeout = timeout("routing_timeout", "for routing's answer");
  settings.billing_timeout = timeout("billing_timeout", "for billing's answer");
  readPolicy(loader, settings);
  settings.networks_poll = loader.duration("networks_poll", milliseconds(500), milliseconds(50), seconds(60), "of the authorised networks");
  const auto unknown = loader.text("unknown_source", "reject", "SIP from an address on no source row: reject (403) or drop");
  if (unknown != "reject" && unknown != "drop") {
    loader.refuse("unknown_source", "write reject or drop");
  }
  settings.drop_unknown_sources = unknown == "drop";
  settings.unknown_source_answers_per_second = static_cast<std::uint32_t>(
      loader.integer("unknown_source_answers_per_second", 100, 0, 100'000, "403 to unknown sources; beyond, they get silence"));
  settings.unknown_source_summary =
      loader.duration("unknown_source_summary", seconds(10), seconds(1), hours(1), "how often counted unknown sources become a record");
  settings.max_calls = static_cast<std::size_t>(loader.integer("max_calls", 20'000, 1, 200'000, "beyond: 503 overloaded"));
  settings.retry_after_seconds = static_cast<int>(loader.integer("retry_after_seconds", 3, 1, 3600, "Retry-After of 503"));
  settings.spool_dir = loader.text("spool_dir", "var/ingress-spool", "records wait here until the bus has stored them");
  settings.record_ack_timeout =
      loader.duration("record_ack_timeout", seconds(2), milliseconds(50), minutes(1), "then a record is sent again");
  settings.spool_bytes_max = loader.integer("spool_bytes_max", 4'000'000'000, 100'000'000, 1'000'000'000'000, "of records not stored yet");
  return settings;
}

}  // namespace tollgate::ingress
