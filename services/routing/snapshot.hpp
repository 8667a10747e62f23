// What routing knows, as one immutable snapshot: for each calling trunk the codes of the rules of its dialpeers, the rules, and the trunks
// that calls go to. Plans hold ids and look rules and trunks up, so that a change of a rule or trunk changes no plan.
//
// Thread: any number of threads read the same snapshot; tables.hpp makes the next one. Rows and plans are shared by all snapshots in which
// they are the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/base/transport.hpp"
#include "libs/digits/prefix_map.hpp"
#include "libs/feed/customers.hpp"
#include "libs/feed/rows.hpp"
#include "services/routing/turns.hpp"

namespace tollgate::routing {

struct Endpoint {
  base::EndpointId id;
  std::string address;  // IP literal
  std::uint16_t port = 0;
  base::Transport transport = base::Transport::kUdp;
};

// A trunk as the other side of a call.
struct Trunk {
  base::TrunkId id;
  base::CustomerId customer;  // the vendor
  std::string name;
  bool enabled = false;
  bool outgoing_allowed = false;  // max concurrent outgoing is not 0
  std::string unified_caller;
  std::string request_uri_parameter;
  base::TrunkId next;  // on failure; none = release (REQUIREMENTS 2.15)
  std::chrono::milliseconds try_timeout{0};
  std::chrono::seconds ringing_timeout{0};
  std::vector<Endpoint> endpoints;  // top down
};

using Customer = feed::Customer;

// Same numbers as tollgate.routing.v1.RoutingMode.
enum class Mode : std::uint8_t { kUnsupported = 0, kPriority = 1, kWeight = 2, kPercent = 3 };
inline constexpr Mode kLastMode = Mode::kPercent;

struct Target {
  base::TrunkId trunk;
  std::int64_t priority = 0;
  std::uint32_t weight = 0;
};

struct Rule {
  base::RuleId id;
  digits::PrefixCode code;
  std::string label;
  Mode mode = Mode::kPriority;
  base::TrunkId scope;  // only calls of this trunk; none = all
  bool active = false;
  std::optional<std::size_t> digits_min;
  std::optional<std::size_t> digits_max;
  std::vector<Target> targets;   // in the order of the list
  std::shared_ptr<Turns> turns;  // shared with the later versions of the rule; never nullptr
};

// One active dialpeer in the plan of its trunk.
struct PlanEntry {
  base::DialpeerId dialpeer;
  base::RuleId rule;
  base::CustomerId customer;  // whose calls it serves
};

// The active dialpeers of one calling trunk by the codes of their rules. Among equal codes the preferred one comes first.
using Plan = digits::PrefixMap<PlanEntry>;

struct Snapshot {
  std::uint64_t version = 0;  // of the configuration
  std::size_t dialpeer_count = 0;
  feed::PublishedRows<base::TrunkId, std::shared_ptr<const Plan>> plans;  // by calling trunk
  feed::PublishedRows<base::RuleId, std::shared_ptr<const Rule>> rules;
  feed::PublishedRows<base::TrunkId, std::shared_ptr<const Trunk>> trunks;
  feed::PublishedCustomers customers;
};

}  // namespace tollgate::routing
