#include "services/auth/tables.hpp"

#include <algorithm>
#include <string_view>

#include "libs/digits/digits.hpp"

namespace tollgate::auth {
namespace {

// The column is a list of names, "PCMU,PCMA".
base::CodecSet codecsOf(std::string_view list) {
  base::CodecSet codecs;
  for (const base::Codec codec : base::kCodecs) {
    if (list.find(base::codecName(codec)) != std::string_view::npos) {
      codecs.add(codec);
    }
  }
  return codecs;
}

// A registration trunk identifies calls by its credential, so its source rows, should it have any, are ignored.
bool identifiesBySource(const Trunk& trunk) {
  return trunk.identification != digits::Identification::kRegistration;
}

bool haveSameNetworks(const Trunk& left, const Trunk& right) {
  const auto same = [](const SourceRow& one, const SourceRow& other) { return one.network == other.network; };
  return identifiesBySource(left) == identifiesBySource(right) &&
         std::equal(left.sources.begin(), left.sources.end(), right.sources.begin(), right.sources.end(), same);
}

struct ByPrefix {
  bool operator()(const TrunkSource& left, const TrunkSource& right) const { return left.trunk->tech_prefix < right.trunk->tech_prefix; }
};

bool isIdentifiable(const Trunk& trunk) {
  using digits::Identification;
  return trunk.identification != Identification::kPrefix || (!trunk.tech_prefix.empty() && digits::isDigits(trunk.tech_prefix));
}

}  // namespace

base::Result<void> Tables::loadAll(sql::Session& session) {
  TG_TRY(customers_.loadAll(session));
  TrunkRows rows;
  TG_TRY(readTrunks(session, feed::IdFilter(), rows));
  TG_TRY(readSources(session, feed::IdFilter(), rows));
  replaceTrunks(std::move(rows));
  return {};
}

// All trunks at a time, because inserting ten thousand trunks of the same network one by one would take quadratic time.
void Tables::replaceTrunks(TrunkRows&& rows) {
  trunks_.clear();
  sources_.clear();
  sources_changed_ = networks_changed_ = true;
  std::map<digits::Network, NetworkSources> sources;
  for (auto& [id, row] : rows) {
    const auto trunk = std::make_shared<const Trunk>(std::move(row));
    trunks_.set(id, trunk);
    for (std::size_t at = 0; identifiesBySource(*trunk) && at < trunk->sources.size(); ++at) {
      sources[trunk->sources[at].network].push_back({trunk, at});
    }
  }
  for (auto& [network, sources_of_it] : sources) {
    std::sort(sources_of_it.begin(), sources_of_it.end(), ByPrefix{});
    sources_.emplace_hint(sources_.end(), network, std::make_shared<const NetworkSources>(std::move(sources_of_it)));
  }
}

base::Result<void> Tables::apply(sql::Session& session, const std::vector<feed::Change>& changes) {
  TG_TRY(customers_.apply(session, changes));
  return feed::refreshRows<Trunk, base::TrunkId>(
      feed::idsOf<base::TrunkId>(changes, "trunk"),
      [this, &session](const feed::IdFilter& filter, TrunkRows& rows) -> base::Result<void> {
        TG_TRY(readTrunks(session, filter, rows));
        return readSources(session, filter, rows);
      },
      [this](Trunk trunk) { setTrunk(std::move(trunk)); }, [this](base::TrunkId id) { removeTrunk(id); });
}

base::Result<void> Tables::readTrunks(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows) {
  return session.each("SELECT id, customer_id, name, identification, tech_prefix, status, relay_media FROM trunks" + filter.where("id"),
                      filter.values(), [this, &rows](const sql::Row& row) {
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
                          refuseRow("trunks", trunk.id.value());
                          return;
                        }
                        rows.insert_or_assign(trunk.id, std::move(trunk));
                      });
}

base::Result<void> Tables::readSources(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows) {
  return session.each("SELECT id, trunk_id, network, port, match_port, codecs FROM trunk_sources" + filter.where("trunk_id") +
                          " ORDER BY trunk_id, position, id",
                      filter.values(), [this, &rows](const sql::Row& row) {
                        const auto trunk = rows.find(base::TrunkId(row.integer(1)));
                        if (trunk == rows.end()) {
                          return;
                        }
                        const auto network = digits::Network::parse(row.text(2));
                        const std::int64_t port = row.integer(3);
                        if (!network || port < 1 || port > UINT16_MAX) {
                          refuseRow("trunk_sources", row.integer(0));
                          return;
                        }
                        trunk->second.sources.push_back({base::SourceRowId(row.integer(0)), *network, static_cast<std::uint16_t>(port),
                                                         row.integer(4) != 0, codecsOf(row.text(5))});
                      });
}

// The list of networks is made anew only when the set of networks changed, because that list may be long and the ingress fetches it again
// whenever it differs.
void Tables::setTrunk(Trunk trunk) {
  const auto shared = std::make_shared<const Trunk>(std::move(trunk));
  const bool had_changed = networks_changed_;
  bool has_same_networks = false;
  if (const auto* old = trunks_.find(shared->id)) {
    has_same_networks = haveSameNetworks(**old, *shared);
    removeSources(**old);
  }
  trunks_.set(shared->id, shared);
  addSources(shared);
  networks_changed_ = has_same_networks ? had_changed : networks_changed_;
}

void Tables::removeTrunk(base::TrunkId id) {
  if (const auto* old = trunks_.find(id)) {
    removeSources(**old);
    trunks_.erase(id);
  }
}

// Published lists of source rows never change, so each changed one is copied.
void Tables::addSources(const std::shared_ptr<const Trunk>& trunk) {
  for (std::size_t position = 0; identifiesBySource(*trunk) && position < trunk->sources.size(); ++position) {
    auto& sources = sources_[trunk->sources[position].network];
    networks_changed_ = networks_changed_ || sources == nullptr;
    auto changed = sources == nullptr ? std::make_shared<NetworkSources>() : std::make_shared<NetworkSources>(*sources);
    const TrunkSource source{trunk, position};
    changed->insert(std::upper_bound(changed->begin(), changed->end(), source, ByPrefix{}), source);
    sources = std::move(changed);
    sources_changed_ = true;
  }
}

void Tables::removeSources(const Trunk& trunk) {
  for (const auto& row : trunk.sources) {
    const auto sources = sources_.find(row.network);
    if (sources == sources_.end()) {
      continue;
    }
    auto rest = std::make_shared<NetworkSources>(*sources->second);
    std::erase_if(*rest, [&trunk](const TrunkSource& source) { return source.trunk->id == trunk.id; });
    sources_changed_ = true;
    if (rest->empty()) {
      sources_.erase(sources);
      networks_changed_ = true;
    } else {
      sources->second = std::move(rest);
    }
  }
}

std::shared_ptr<const NetworkList> Tables::listNetworks() const {
  std::vector<digits::Network> networks;
  networks.reserve(sources_.size());
  for (const auto& [network, sources] : sources_) {
    networks.push_back(network);
  }
  return std::make_shared<const NetworkList>(makeNetworkList(std::move(networks), networks_bytes_max_));
}

std::shared_ptr<Snapshot> Tables::makeSnapshot() {
  const auto last = current();
  auto next = std::make_shared<Snapshot>();
  next->customers = customers_.publish();
  next->trunks = trunks_.publish();
  next->sources = sources_changed_ || last == nullptr
                      ? std::make_shared<const SourceMap>(std::vector<SourceMap::Entry>(sources_.begin(), sources_.end()))
                      : last->sources;
  next->networks = networks_changed_ || last == nullptr ? listNetworks() : last->networks;
  sources_changed_ = networks_changed_ = false;
  return next;
}

}  // namespace tollgate::auth
