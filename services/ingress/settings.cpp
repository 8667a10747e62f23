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

// A number in the type of its setting. The bounds are those of the loader, so it fits.
template <class Number>
void read(config::Loader& loader, std::string_view name, Number& value, std::int64_t low, std::int64_t high, std::string_view help) {
  value = static_cast<Number>(loader.integer(name, static_cast<std::int64_t>(value), low, high, help));
}

void read(config::Loader& loader, std::string_view name, milliseconds& value, milliseconds low, milliseconds high, std::string_view help) {
  value = loader.duration(name, value, low, high, help);
}

void readListeners(config::Loader& loader, Settings& settings) {
  const auto& first = settings.listen.front();
  const auto fallback = "udp:" + first.address + ":" + std::to_string(first.port);
  std::vector<ListenAddress> listen;
  for (const auto& text : loader.list("listen", fallback, "where SIP is received, e.g. udp:192.0.2.1:5060,udp:[2001:db8::1]:5060")) {
    if (auto parsed = parseListen(text)) {
      listen.push_back(std::move(*parsed));
    } else {
      loader.refuse("listen", parsed.error().message);
    }
  }
  settings.listen = std::move(listen);
  settings.advertised_address =
      loader.text("advertised_address", settings.advertised_address, "IP address written into Via and Contact; empty = the one bound");
  if (!settings.advertised_address.empty() && !digits::IpAddress::parse(settings.advertised_address)) {
    loader.refuse("advertised_address", "an IP address is needed, because names are not resolved");
  }
  settings.hop_marker = loader.text("hop_marker", settings.hop_marker,
                                    "marks our INVITEs so that loops are recognised; the same for all ingress instances of a deployment");
  if (settings.hop_marker.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != std::string::npos) {
    loader.refuse("hop_marker", "only letters, digits and - are allowed");
  }
  settings.server_name = loader.text("server_name", settings.server_name, "Server and User-Agent header; empty = none is sent");
}

void readPolicy(config::Loader& loader, Settings& settings) {
  auto& policy = settings.policy;
  read(loader, "try_timeout", policy.try_timeout, milliseconds(100), minutes(1),
       "how long an endpoint may send no response to the INVITE; then the next endpoint is tried");
  read(loader, "ringing_timeout", policy.ringing_timeout, seconds(1), minutes(30),
       "how long a carrier may ring, for trunks without a timeout of their own");
  read(loader, "setup_timeout", policy.setup_timeout, seconds(1), hours(1), "longest time from INVITE to answer");
  read(loader, "max_call_duration", policy.max_duration, milliseconds(0), hours(240), "longest talking time of a call; 0 = no limit");
  policy.rpc_timeout = settings.billing_timeout;
  read(loader, "extend_quantum_seconds", policy.quantum_seconds, 1, 3600, "largest extension of a hold");
  read(loader, "heartbeat_seconds", policy.heartbeat_seconds, 1, 600, "time between heartbeats when billing names none");
  policy.stop_after_early_media =
      loader.flag("stop_after_early_media", policy.stop_after_early_media, "end the hunt when a carrier fails after early media");
  if (auto map = base::RejectMap::parse(loader.text("reject_map", "", "overrides, e.g. no_route=480/20,no_credit=403/21"))) {
    policy.reject_map = std::move(*map);
  } else {
    loader.refuse("reject_map", map.error().message);
  }
}

void readUnknownSources(config::Loader& loader, Settings& settings) {
  const auto unknown = loader.text("unknown_source", settings.drop_unknown_sources ? "drop" : "reject",
                                   "what SIP from an address on no source row gets: reject (403) or drop");
  if (unknown != "reject" && unknown != "drop") {
    loader.refuse("unknown_source", "write reject or drop");
  }
  settings.drop_unknown_sources = unknown == "drop";
  read(loader, "unknown_source_answers_per_second", settings.unknown_source_answers_per_second, 0, 100'000,
       "most 403 answers to unknown sources in a second; beyond that they get no answer");
  read(loader, "unknown_source_summary", settings.unknown_source_summary, seconds(1), hours(1),
       "how often the counts of unknown sources are published as a record");
}

}  // namespace

base::Result<ListenAddress> parseListen(const std::string& text) {
  const auto wrong = [&](std::string_view error) {
    return base::fail(base::ErrorCode::kInvalid, "'" + text + "': " + std::string(error) + "; write udp:ADDRESS:PORT");
  };
  if (!text.starts_with("udp:")) {
    return wrong("only udp is supported");
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
    return wrong("this is not an IP address");
  }
  ListenAddress listen;
  listen.address = std::string(address);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), listen.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return wrong("this is not a port");
  }
  return listen;
}

Settings readSettings(config::Loader& loader) {
  Settings settings;
  settings.bus = bus::readSettings(loader, "ingress");
  readListeners(loader, settings);
  read(loader, "auth_timeout", settings.auth_timeout, milliseconds(10), seconds(10),
       "how long to wait for auth's answer; then 503 decision_unavailable");
  read(loader, "routing_timeout", settings.routing_timeout, milliseconds(10), seconds(10), "how long to wait for routing's answer");
  read(loader, "billing_timeout", settings.billing_timeout, milliseconds(10), seconds(10), "how long to wait for billing's answer");
  readPolicy(loader, settings);
  read(loader, "networks_poll", settings.networks_poll, milliseconds(50), seconds(60), "how often the authorised networks are asked for");
  readUnknownSources(loader, settings);
  read(loader, "max_calls", settings.max_calls, 1, 200'000, "most calls at a time; further ones get 503 overloaded");
  read(loader, "retry_after_seconds", settings.retry_after_seconds, 1, 3600, "value of Retry-After in a 503");
  settings.spool_dir = loader.text("spool_dir", settings.spool_dir, "folder where records wait until the bus has stored them");
  read(loader, "record_ack_timeout", settings.record_ack_timeout, milliseconds(50), minutes(1),
       "how long to wait for the bus to store a record; then it is sent again");
  read(loader, "release_after", settings.release_after, seconds(1), minutes(1),
       "how long the record of an ended call may wait to be stored; then billing is asked to release the call's slots");
  read(loader, "unstored_calls_max", settings.unstored_calls_max, 1000, 10'000'000,
       "most ended calls whose record the stream has not stored; beyond, new calls get 503 overloaded");
  read(loader, "spool_bytes_max", settings.spool_bytes_max, 100'000'000, 1'000'000'000'000,
       "largest size of the records that the bus has not stored yet");
  return settings;
}

}  // namespace tollgate::ingress
