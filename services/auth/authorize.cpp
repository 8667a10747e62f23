#include "services/auth/authorize.hpp"

#include <algorithm>
#include <tuple>

#include "libs/base/limits.hpp"
#include "libs/digits/digits.hpp"

namespace tollgate::auth {
namespace {

using base::Reason;

// A called user part is never longer than this on the bus; what is cut off makes the number malformed in any case.
constexpr std::size_t kUserPartMax = 128;

std::string quoted(std::int64_t id, const std::string& name) {
  return std::to_string(id) + " (" + name + ")";
}

std::string describe(const Trunk& trunk) {
  return "trunk " + quoted(trunk.id.value(), trunk.name);
}

std::string describe(const SourceRow& row) {
  std::string out = "row " + std::to_string(row.id.value()) + " (" + row.network.text();
  if (row.match_port) {
    out += " port " + std::to_string(row.port);
  }
  return out + ")";
}

bool portFits(const SourceRow& row, std::uint16_t source_port) {
  return !row.match_port || row.port == source_port;
}

// Best first, see the header. Smaller is better.
auto rank(const Claim& claim) {
  const SourceRow& row = claim.source();
  return std::tuple(!claim.trunk->enabled, -row.network.length(), !row.match_port, -static_cast<int>(claim.trunk->tech_prefix.size()),
                    row.id);
}

struct ByPrefix {
  bool operator()(const Claim& claim, std::string_view prefix) const { return claim.trunk->tech_prefix < prefix; }
  bool operator()(std::string_view prefix, const Claim& claim) const { return prefix < claim.trunk->tech_prefix; }
};

// What the rows that cover an address say about one call.
struct Found {
  const Claim* match = nullptr;       // source, port and prefix fit
  const Claim* by_source = nullptr;   // source and port fit, whatever the prefix; only when there is no match
  const Claim* by_address = nullptr;  // the address fits but not the port; only when there is nothing else
  bool one_trunk = true;              // all of by_source are one trunk's
  bool one_customer = true;           // or one customer's
};

void look(const Claims& claims, std::uint16_t source_port, std::string_view called, Found& found) {
  const std::size_t longest = std::min(called.size(), base::limits::kTechPrefixDigitsMax);
  for (std::size_t length = 0; length <= longest; ++length) {
    const auto [first, last] = std::equal_range(claims.begin(), claims.end(), called.substr(0, length), ByPrefix{});
    for (auto claim = first; claim != last; ++claim) {
      if (portFits(claim->source(), source_port) && (found.match == nullptr || rank(*claim) < rank(*found.match))) {
        found.match = &*claim;
      }
    }
  }
}

void lookWithoutPrefix(const Claims& claims, std::uint16_t source_port, Found& found) {
  for (const Claim& claim : claims) {
    if (!portFits(claim.source(), source_port)) {
      found.by_address = found.by_address == nullptr ? &claim : found.by_address;
      continue;
    }
    if (found.by_source == nullptr) {
      found.by_source = &claim;
      continue;
    }
    found.one_trunk = found.one_trunk && claim.trunk->id == found.by_source->trunk->id;
    found.one_customer = found.one_customer && claim.trunk->customer == found.by_source->trunk->customer;
    if (!found.one_customer) {
      return;
    }
  }
}

Found findRow(const Snapshot& snapshot, const digits::IpAddress& address, std::uint16_t source_port, std::string_view called) {
  Found found;
  snapshot.sources->visit(address, [&](const digits::Network&, const std::shared_ptr<const Claims>& claims) {
    look(*claims, source_port, called, found);
    return true;
  });
  if (found.match == nullptr) {
    snapshot.sources->visit(address, [&](const digits::Network&, const std::shared_ptr<const Claims>& claims) {
      lookWithoutPrefix(*claims, source_port, found);
      return found.one_customer;
    });
  }
  return found;
}

class Decision {
 public:
  Decision(const Snapshot& snapshot, const Question& question)
      : snapshot_(snapshot), question_(question), called_(digits::bareUserPart(question.called.substr(0, kUserPartMax))) {}

  Answer take() {
    const Trunk* trunk = question_.dry_run_trunk.isSet() ? testTrunk() : trunkOfSource();
    if (trunk != nullptr && trunkMayCall(*trunk)) {
      checkNumber(*trunk);
    }
    return std::move(answer_);
  }

 private:
  void passed(std::string_view check, std::string found) { answer_.trace.push_back({check, std::move(found), true}); }

  void refuse(Reason reason, std::string_view check, std::string detail) {
    answer_.trace.push_back({check, detail, false});
    answer_.refusal = Refusal{reason, std::move(detail)};
  }

  void name(const Trunk& trunk, const SourceRow* row) {
    answer_.customer = trunk.customer;
    answer_.trunk = trunk.id;
    answer_.relay_media = trunk.relay_media;
    if (row != nullptr) {
      answer_.source_row = row->id;
      answer_.codecs = row->codecs;
    }
  }

  std::string sourceText() const { return std::string(question_.source_address) + " port " + std::to_string(question_.source_port); }

  // The trunk that source and tech prefix name, or nullptr and a refusal.
  const Trunk* trunkOfSource() {
    const auto address = digits::IpAddress::parse(question_.source_address);
    if (!address) {
      refuse(Reason::kUnknownSource, "source_row", "the source address is not readable");
      return nullptr;
    }
    const Found found = findRow(snapshot_, *address, question_.source_port, called_);
    if (found.match != nullptr) {
      const Trunk& trunk = *found.match->trunk;
      name(trunk, &found.match->source());
      passed("source_row", sourceText() + " is on " + describe(found.match->source()) + " of " + describe(trunk));
      passedPrefix(trunk);
      return &trunk;
    }
    if (found.by_source != nullptr) {
      refuseForPrefix(found);
    } else if (found.by_address != nullptr) {
      refuse(Reason::kUnknownSource, "source_row",
             sourceText() + " has not the port that " + describe(found.by_address->source()) + " of " + describe(*found.by_address->trunk) +
                 " asks for");
    } else {
      refuse(Reason::kUnknownSource, "source_row", sourceText() + " is on no source row");
    }
    return nullptr;
  }

  void refuseForPrefix(const Found& found) {
    const Trunk& trunk = *found.by_source->trunk;
    const SourceRow& row = found.by_source->source();
    if (found.one_trunk) {
      name(trunk, &row);
      passed("source_row", sourceText() + " is on " + describe(row) + " of " + describe(trunk));
      refuse(Reason::kTechPrefixMismatch, "tech_prefix", "the called number does not start with the tech prefix of " + describe(trunk));
      return;
    }
    if (found.one_customer) {
      answer_.customer = trunk.customer;
    }
    passed("source_row", sourceText() + " is on source rows of several trunks");
    refuse(Reason::kTechPrefixMismatch, "tech_prefix", "the called number starts with the tech prefix of none of the source's trunks");
  }

  void passedPrefix(const Trunk& trunk) {
    answer_.tech_prefix = trunk.tech_prefix;
    passed("tech_prefix", trunk.tech_prefix.empty() ? "none asked for" : "the called number starts with " + trunk.tech_prefix);
  }

  // Route test (REQUIREMENTS 10.6): the trunk is given, its prefix is still checked.
  const Trunk* testTrunk() {
    const auto* trunk = snapshot_.trunks.find(question_.dry_run_trunk);
    if (trunk == nullptr) {
      refuse(Reason::kUnknownSource, "source_row", "trunk " + std::to_string(question_.dry_run_trunk.value()) + " does not exist");
      return nullptr;
    }
    name(**trunk, (*trunk)->sources.empty() ? nullptr : &(*trunk)->sources.front());
    passed("source_row", "test: checked as a call from " + describe(**trunk));
    if (!called_.starts_with((*trunk)->tech_prefix)) {
      refuse(Reason::kTechPrefixMismatch, "tech_prefix", "the called number does not start with the tech prefix of " + describe(**trunk));
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
    const std::string text = "customer " + quoted(trunk.customer.value(), customer == nullptr ? "missing" : customer->name);
    if (customer == nullptr || customer->blocked) {
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
             trunk.tech_prefix.empty() ? "there is no called number" : "nothing is left of the called number after the tech prefix");
      return;
    }
    const auto number = digits::Digits::parse(rest);
    if (!number) {
      refuse(Reason::kMalformed, "called_number", "the called number cannot be read: " + number.error().message);
      return;
    }
    answer_.called = number->text();
    passed("called_number", std::to_string(number->size()) + " digits to route");
  }

  // Passed in.
  const Snapshot& snapshot_;
  const Question& question_;
  // Owned.
  std::string called_;
  Answer answer_;
};

}  // namespace

Answer authorize(const Snapshot& snapshot, const Question& question) {
  return Decision(snapshot, question).take();
}

}  // namespace tollgate::auth
