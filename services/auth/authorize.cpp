#include "services/auth/authorize.hpp"

#include <algorithm>
#include <tuple>

#include "libs/base/limits.hpp"
#include "libs/digits/digits.hpp"

namespace tollgate::auth {
namespace {

using base::Reason;

// No called number that is valid is longer, so that cutting the rest off changes no decision and bounds the work.
constexpr std::size_t kUserPartMax = 128;

std::string withName(std::int64_t id, const std::string& name) {
  return std::to_string(id) + " (" + name + ")";
}

std::string describe(const Trunk& trunk) {
  return "trunk " + withName(trunk.id.value(), trunk.name);
}

std::string describe(const SourceRow& row) {
  std::string out = "source row " + std::to_string(row.id.value()) + " (" + row.network.text();
  if (row.match_port) {
    out += " port " + std::to_string(row.port);
  }
  return out + ")";
}

bool portFits(const SourceRow& row, std::uint16_t source_port) {
  return !row.match_port || row.port == source_port;
}

// The order of preference among matching rows, see the header; the smallest comes first.
auto preference(const TrunkSource& source) {
  const SourceRow& row = source.row();
  const Trunk& trunk = *source.trunk;
  return std::tuple(!trunk.enabled, -row.network.length(), !row.match_port, -static_cast<int>(trunk.tech_prefix.size()), row.id);
}

struct ByPrefix {
  bool operator()(const TrunkSource& source, std::string_view prefix) const { return source.trunk->tech_prefix < prefix; }
  bool operator()(std::string_view prefix, const TrunkSource& source) const { return prefix < source.trunk->tech_prefix; }
};

// What the source rows that cover an address say about one call.
struct SourceMatch {
  const TrunkSource* match = nullptr;       // address, port and prefix fit
  const TrunkSource* by_source = nullptr;   // address and port fit, the prefix does not; only when there is no match
  const TrunkSource* by_address = nullptr;  // the address fits, the port does not; only when there is nothing better
  bool is_one_trunk = true;                 // all rows whose address and port fit are of one trunk
  bool is_one_customer = true;              // or of one customer
};

// One binary search for each possible length of the prefix, because ten thousand trunks may share one network.
void findByPrefix(const NetworkSources& sources, std::uint16_t source_port, std::string_view called, SourceMatch& found) {
  const std::size_t longest = std::min(called.size(), base::limits::kTechPrefixDigitsMax);
  for (std::size_t length = 0; length <= longest; ++length) {
    const auto [first, last] = std::equal_range(sources.begin(), sources.end(), called.substr(0, length), ByPrefix{});
    for (auto source = first; source != last; ++source) {
      if (portFits(source->row(), source_port) && (found.match == nullptr || preference(*source) < preference(*found.match))) {
        found.match = &*source;
      }
    }
  }
}

// For the refusal: the trunks that the call could be from if its prefix were another.
void findWithoutPrefix(const NetworkSources& sources, std::uint16_t source_port, SourceMatch& found) {
  for (const TrunkSource& source : sources) {
    if (!portFits(source.row(), source_port)) {
      found.by_address = found.by_address == nullptr ? &source : found.by_address;
      continue;
    }
    if (found.by_source == nullptr) {
      found.by_source = &source;
      continue;
    }
    found.is_one_trunk = found.is_one_trunk && source.trunk->id == found.by_source->trunk->id;
    found.is_one_customer = found.is_one_customer && source.trunk->customer == found.by_source->trunk->customer;
    if (!found.is_one_customer) {
      return;
    }
  }
}

SourceMatch findSource(const Snapshot& snapshot, const digits::IpAddress& address, std::uint16_t source_port, std::string_view called) {
  using Sources = std::shared_ptr<const NetworkSources>;
  SourceMatch found;
  snapshot.sources->visit(address, [&](const digits::Network&, const Sources& sources) {
    findByPrefix(*sources, source_port, called, found);
    return true;
  });
  if (found.match == nullptr) {
    snapshot.sources->visit(address, [&](const digits::Network&, const Sources& sources) {
      findWithoutPrefix(*sources, source_port, found);
      return found.is_one_customer;
    });
  }
  return found;
}

class Authorizer {
 public:
  Authorizer(const Snapshot& snapshot, const AuthorizeQuery& query)
      : snapshot_(snapshot), query_(query), called_(digits::bareUserPart(query.called.substr(0, kUserPartMax))) {}

  AuthorizeDecision decide() {
    const Trunk* trunk = query_.dry_run_trunk.isSet() ? dryRunTrunk() : trunkOfSource();
    if (trunk != nullptr && trunkMayCall(*trunk)) {
      checkNumber(*trunk);
    }
    return std::move(decision_);
  }

 private:
  void passed(std::string_view check, std::string found) {
    decision_.trace.push_back({"auth", std::string(check), std::move(found), true});
  }

  void refuse(Reason reason, std::string_view check, std::string detail) {
    decision_.trace.push_back({"auth", std::string(check), detail, false});
    decision_.refusal = base::Refusal{reason, std::move(detail)};
  }

  void identify(const Trunk& trunk, const SourceRow* row) {
    decision_.customer = trunk.customer;
    decision_.trunk = trunk.id;
    decision_.relay_media = trunk.relay_media;
    if (row != nullptr) {
      decision_.source_row = row->id;
      decision_.codecs = row->codecs;
    }
  }

  std::string sourceText() const { return std::string(query_.source_address) + " port " + std::to_string(query_.source_port); }

  // The trunk that source and tech prefix identify, or nullptr and a refusal.
  const Trunk* trunkOfSource() {
    const auto address = digits::IpAddress::parse(query_.source_address);
    if (!address) {
      refuse(Reason::kUnknownSource, "source_row", "the source address is not an IP address");
      return nullptr;
    }
    const SourceMatch found = findSource(snapshot_, *address, query_.source_port, called_);
    if (found.match != nullptr) {
      const Trunk& trunk = *found.match->trunk;
      identify(trunk, &found.match->row());
      passedSource(*found.match);
      passedPrefix(trunk);
      return &trunk;
    }
    if (found.by_source != nullptr) {
      refuseForPrefix(found);
    } else if (found.by_address != nullptr) {
      refuse(Reason::kUnknownSource, "source_row",
             describe(found.by_address->row()) + " of " + describe(*found.by_address->trunk) + " does not accept " + sourceText());
    } else {
      refuse(Reason::kUnknownSource, "source_row", "no source row covers " + std::string(query_.source_address));
    }
    return nullptr;
  }

  void passedSource(const TrunkSource& source) {
    passed("source_row", describe(source.row()) + " of " + describe(*source.trunk) + " covers " + sourceText());
  }

  void refuseForPrefix(const SourceMatch& found) {
    const Trunk& trunk = *found.by_source->trunk;
    if (found.is_one_trunk) {
      identify(trunk, &found.by_source->row());
      passedSource(*found.by_source);
      refuseForPrefix(trunk);
      return;
    }
    if (found.is_one_customer) {
      decision_.customer = trunk.customer;
    }
    passed("source_row", "source rows of several trunks cover " + sourceText());
    refuse(Reason::kTechPrefixMismatch, "tech_prefix", "the called number does not start with the tech prefix of any of these trunks");
  }

  void refuseForPrefix(const Trunk& trunk) {
    refuse(Reason::kTechPrefixMismatch, "tech_prefix",
           "the called number does not start with the tech prefix " + trunk.tech_prefix + " of " + describe(trunk));
  }

  void passedPrefix(const Trunk& trunk) {
    decision_.tech_prefix = trunk.tech_prefix;
    passed("tech_prefix", trunk.tech_prefix.empty() ? describe(trunk) + " has no tech prefix"
                                                    : "the called number starts with the tech prefix " + trunk.tech_prefix);
  }

  // A dry run (REQUIREMENTS 10.6) names the trunk; the tech prefix is still checked.
  const Trunk* dryRunTrunk() {
    const auto* trunk = snapshot_.trunks.find(query_.dry_run_trunk);
    if (trunk == nullptr) {
      refuse(Reason::kUnknownSource, "source_row", "trunk " + std::to_string(query_.dry_run_trunk.value()) + " does not exist");
      return nullptr;
    }
    identify(**trunk, (*trunk)->sources.empty() ? nullptr : &(*trunk)->sources.front());
    passed("source_row", "this is a dry run of a call from " + describe(**trunk));
    if (!called_.starts_with((*trunk)->tech_prefix)) {
      refuseForPrefix(**trunk);
      return nullptr;
    }
    passedPrefix(**trunk);
    return trunk->get();
  }

  bool trunkMayCall(const Trunk& trunk) {
    if (!trunk.enabled) {
      refuse(Reason::kTrunkDisabled, "trunk_state", describe(trunk) + " is disabled");
      return false;
    }
    passed("trunk_state", describe(trunk) + " is enabled");
    const Customer* customer = snapshot_.customers.find(trunk.customer);
    if (customer == nullptr) {
      refuse(Reason::kCustomerBlocked, "customer_state", "customer " + std::to_string(trunk.customer.value()) + " does not exist");
      return false;
    }
    const std::string text = "customer " + withName(trunk.customer.value(), customer->name);
    if (customer->blocked) {
      refuse(Reason::kCustomerBlocked, "customer_state", text + " is blocked");
      return false;
    }
    passed("customer_state", text + " is active");
    return true;
  }

  void checkNumber(const Trunk& trunk) {
    const std::string_view rest = std::string_view(called_).substr(trunk.tech_prefix.size());
    if (rest.empty()) {
      refuse(Reason::kAddressIncomplete, "called_number",
             trunk.tech_prefix.empty() ? "there is no called number" : "the called number has no digits after the tech prefix");
      return;
    }
    const auto number = digits::Digits::parse(rest);
    if (!number) {
      refuse(Reason::kMalformed, "called_number", "the called number is invalid: " + number.error().message);
      return;
    }
    decision_.called = number->text();
    passed("called_number", "the number to route has " + std::to_string(number->size()) + (number->size() == 1 ? " digit" : " digits"));
  }

  // Passed in.
  const Snapshot& snapshot_;
  const AuthorizeQuery& query_;
  // Owned.
  std::string called_;
  AuthorizeDecision decision_;
};

}  // namespace

AuthorizeDecision authorize(const Snapshot& snapshot, const AuthorizeQuery& query) {
  return Authorizer(snapshot, query).decide();
}

}  // namespace tollgate::auth
