#include "services/auth/tables.hpp"

#include <algorithm>
#include <span>

#include "libs/digits/digits.hpp"
#include "libs/feed/in_chunks.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::auth {
namespace {

Codecs codecsOf(std::string_view list) {
  const auto has = [list](std::string_view word) { return list.find(word) != std::string_view::npos; };
  return {has("PCMU"), has("PCMA"), has("G729")};
}

// The source rows of a registration trunk, should there be any, let nobody in: its credential does.
bool claimsSources(const Trunk& trunk) {
  return trunk.identification != digits::Identification::kRegistration;
}

bool haveSameNetworks(const Trunk& left, const Trunk& right) {
  const auto same = [](const SourceRow& one, const SourceRow& other) { return one.network == other.network; };
  return claimsSources(left) == claimsSources(right) &&
         std::equal(left.sources.begin(), left.sources.end(), right.sources.begin(), right.sources.end(), same);
}

struct ByPrefix {
  bool operator()(const Claim& left, const Claim& right) const { return left.trunk->tech_prefix < right.trunk->tech_prefix; }
};

bool isIdentifiable(const Trunk& trunk) {
  using digits::Identification;
  return trunk.identification != Identification::kPrefix || (!trunk.tech_prefix.empty() && digits::isDigits(trunk.tech_prefix));
}

}  // namespace

base::Result<void> Tables::loadAll(sql::Session& session) {
  customers_.clear();
  trunks_.clear();
  claims_.clear();
  claims_changed_ = networks_changed_ = true;
  TG_TRY(readCustomers(session, "", {}));
  TrunkRows rows;
  TG_TRY(readTrunks(session, "", {}, rows));
  TG_TRY(readSources(session, "", {}, rows));
  // All claims at once: ten thousand trunks behind one address are sorted once and not inserted one by one.
  std::map<digits::Network, Claims> claims;
  for (auto& [id, row] : rows) {
    const auto trunk = std::make_shared<const Trunk>(std::move(row));
    trunks_.set(id, trunk);
    for (std::size_t at = 0; claimsSources(*trunk) && at < trunk->sources.size(); ++at) {
      claims[trunk->sources[at].network].push_back({trunk, at});
    }
  }
  for (auto& [network, rows_of_it] : claims) {
    std::sort(rows_of_it.begin(), rows_of_it.end(), ByPrefix{});
    claims_.emplace_hint(claims_.end(), network, std::make_shared<const Claims>(std::move(rows_of_it)));
  }
  return {};
}

base::Result<void> Tables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  std::vector<base::CustomerId> customers;
  std::vector<base::TrunkId> trunks;
  for (const auto& change : changes) {
    if (change.entity == "customer") {
      customers.emplace_back(change.entity_id);
    } else if (change.entity == "trunk") {
      trunks.emplace_back(change.entity_id);
    }
  }
  using Ids = std::vector<sql::Value>;
  TG_TRY(feed::inChunks(customers, [this, &session](const std::string& in, const Ids& values, std::span<const base::CustomerId> ids) {
    std::for_each(ids.begin(), ids.end(), [this](base::CustomerId id) { removeCustomer(id); });
    return readCustomers(session, " WHERE id IN " + in, values);
  }));
  return feed::inChunks(trunks, [this, &session](const std::string& in, const Ids& values, std::span<const base::TrunkId> ids) {
    return applyTrunks(session, in, values, ids);
  });
}

base::Result<void> Tables::applyTrunks(sql::Session& session, const std::string& in, const std::vector<sql::Value>& values,
                                       std::span<const base::TrunkId> ids) {
  TrunkRows rows;
  TG_TRY(readTrunks(session, " WHERE id IN " + in, values, rows));
  TG_TRY(readSources(session, " WHERE trunk_id IN " + in, values, rows));
  for (const auto id : ids) {
    const auto row = rows.find(id);
    if (row == rows.end()) {
      removeTrunk(id);
    } else {
      setTrunk(std::move(row->second));
    }
  }
  return {};
}

base::Result<void> Tables::readCustomers(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids) {
  return session.each("SELECT id, name, status FROM customers" + std::string(where), ids, [this](const sql::Row& row) {
    setCustomer(base::CustomerId(row.integer(0)), {row.text(1), row.text(2) != "active"});
  });
}

base::Result<void> Tables::readTrunks(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids, TrunkRows& rows) {
  return session.each("SELECT id, customer_id, name, identification, tech_prefix, status, relay_media FROM trunks" + std::string(where),
                      ids, [this, &rows](const sql::Row& row) {
                        Trunk trunk;
                        trunk.id = base::TrunkId(row.integer(0));
                        trunk.customer = base::CustomerId(row.integer(1));
                        trunk.name = row.text(2);
                        const auto identification = digits::identificationFromWord(row.text(3));
                        trunk.identification = identification.value_or(digits::Identification::kPrefix);
                        trunk.tech_prefix = trunk.identification == digits::Identification::kPrefix ? row.text(4) : "";
                        trunk.enabled = row.text(5) == "enabled";
                        trunk.relay_media = row.integer(6) != 0;
                        if (!identification || !isIdentifiable(trunk)) {
                          ++rows_refused_;
                          telemetry::warn("trunk row breaks a rule and is passed over", {{"trunk", trunk.id.value()}});
                          return;
                        }
                        rows.insert_or_assign(trunk.id, std::move(trunk));
                      });
}

base::Result<void> Tables::readSources(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids, TrunkRows& rows) {
  return session.each(
      "SELECT id, trunk_id, network, port, match_port, codecs FROM trunk_sources" + std::string(where) + " ORDER BY trunk_id, position, id",
      ids, [this, &rows](const sql::Row& row) {
        const auto trunk = rows.find(base::TrunkId(row.integer(1)));
        if (trunk == rows.end()) {
          return;
        }
        const auto network = digits::Network::parse(row.text(2));
        const std::int64_t port = row.integer(3);
        if (!network || port < 1 || port > UINT16_MAX) {
          ++rows_refused_;
          telemetry::warn("source row breaks a rule and is passed over", {{"trunk", row.integer(1)}, {"source_row", row.integer(0)}});
          return;
        }
        trunk->second.sources.push_back(
            {base::SourceRowId(row.integer(0)), *network, static_cast<std::uint16_t>(port), row.integer(4) != 0, codecsOf(row.text(5))});
      });
}

void Tables::setTrunk(Trunk trunk) {
  const auto shared = std::make_shared<const Trunk>(std::move(trunk));
  const bool networks_changed = networks_changed_;
  bool same_networks = false;
  if (const auto* old = trunks_.find(shared->id)) {
    same_networks = haveSameNetworks(**old, *shared);
    dropClaims(**old);
  }
  trunks_.set(shared->id, shared);
  addClaims(shared);
  networks_changed_ = same_networks ? networks_changed : networks_changed_;
}

void Tables::removeTrunk(base::TrunkId id) {
  if (const auto* old = trunks_.find(id)) {
    dropClaims(**old);
    trunks_.erase(id);
  }
}

void Tables::addClaims(const std::shared_ptr<const Trunk>& trunk) {
  for (std::size_t row = 0; claimsSources(*trunk) && row < trunk->sources.size(); ++row) {
    auto& claims = claims_[trunk->sources[row].network];
    networks_changed_ = networks_changed_ || claims == nullptr;
    auto changed = claims == nullptr ? std::make_shared<Claims>() : std::make_shared<Claims>(*claims);
    const Claim claim{trunk, row};
    changed->insert(std::upper_bound(changed->begin(), changed->end(), claim, ByPrefix{}), claim);
    claims = std::move(changed);
    claims_changed_ = true;
  }
}

void Tables::dropClaims(const Trunk& trunk) {
  for (const auto& source : trunk.sources) {
    const auto claims = claims_.find(source.network);
    if (claims == claims_.end()) {
      continue;
    }
    auto rest = std::make_shared<Claims>(*claims->second);
    std::erase_if(*rest, [&trunk](const Claim& claim) { return claim.trunk->id == trunk.id; });
    claims_changed_ = true;
    if (rest->empty()) {
      claims_.erase(claims);
      networks_changed_ = true;
    } else {
      claims->second = std::move(rest);
    }
  }
}

void Tables::publish(std::uint64_t version) {
  const auto begun = std::chrono::steady_clock::now();
  const auto last = current_.load();
  auto next = std::make_shared<Snapshot>();
  next->version = version;
  next->customers = customers_.publish();
  next->trunks = trunks_.publish();
  if (claims_changed_ || last == nullptr) {
    next->sources = std::make_shared<const SourceMap>(std::vector<SourceMap::Entry>(claims_.begin(), claims_.end()));
  } else {
    next->sources = last->sources;
  }
  if (networks_changed_ || last == nullptr) {
    std::vector<digits::Network> networks;
    networks.reserve(claims_.size());
    for (const auto& [network, claims] : claims_) {
      networks.push_back(network);
    }
    next->networks = std::make_shared<const NetworkList>(makeNetworkList(std::move(networks), networks_bytes_max_));
  } else {
    next->networks = last->networks;
  }
  claims_changed_ = networks_changed_ = false;
  previous_ = last;
  current_.store(next);
  if (on_published_) {
    on_published_(*next, {customers_.size(), trunks_.size(), claims_.size(), rows_refused_, std::chrono::steady_clock::now() - begun});
  }
}

}  // namespace tollgate::auth
