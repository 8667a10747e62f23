#include "services/admin_api/resources/sources_rule.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <set>
#include <vector>

#include "libs/digits/sources.hpp"

namespace tollgate::admin_api {
namespace {

// An address as the column range_start has it: the family, then the address in hex.
std::string startText(bool is_v4, const digits::AddressBits& bits) {
  char text[34];
  if (is_v4) {
    std::snprintf(text, sizeof text, "4%08" PRIX64, bits.low & 0xffff'ffffU);
  } else {
    std::snprintf(text, sizeof text, "6%016" PRIX64 "%016" PRIX64, bits.high, bits.low);
  }
  return text;
}

// The last address of the network.
digits::AddressBits lastOf(const digits::Network& network) {
  const int host_bits = (network.isV4() ? 32 : 128) - network.length();
  const auto ones = [](int count) { return count <= 0 ? 0 : ~std::uint64_t{0} >> (64 - std::min(count, 64)); };
  digits::AddressBits bits = network.address().bits();
  bits.low |= ones(host_bits);
  bits.high |= ones(host_bits - 64);
  return bits;
}

// The SQL condition for the rows that can overlap the networks, all of them ranges and values of one index: networks that begin inside one
// of these, and networks that begin where one that contains it would begin. Some of the latter are too small to contain it; the rule
// itself compares exactly.
std::string overlapping(const std::vector<digits::AuthorisedSource>& candidates, std::vector<sql::Value>& parameters) {
  std::string where;
  std::set<std::string> starts;
  for (const auto& candidate : candidates) {
    const digits::Network& network = candidate.network;
    where += "s.range_start BETWEEN ? AND ? OR ";
    parameters.emplace_back(startText(network.isV4(), network.address().bits()));
    parameters.emplace_back(startText(network.isV4(), lastOf(network)));
    for (int length = 1; length <= network.length(); ++length) {
      starts.insert(startText(network.isV4(), digits::Network::around(network.address(), length).address().bits()));
    }
  }
  parameters.insert(parameters.end(), starts.begin(), starts.end());
  return where + "s.range_start IN (" + sql::marks(starts.size()) + ")";
}

digits::AuthorisedSource sourceOf(std::int64_t trunk, const std::string& identification, const std::string& tech_prefix) {
  digits::AuthorisedSource source;
  source.trunk = base::TrunkId(trunk);
  source.identification = digits::identificationFromWord(identification).value_or(digits::Identification::kPrefix);
  source.tech_prefix = tech_prefix;
  return source;
}

std::vector<digits::AuthorisedSource> candidateSources(const Json& trunk) {
  std::vector<digits::AuthorisedSource> sources;
  for (const auto& row : trunk["sources"]) {
    auto source = sourceOf(integerOf(trunk, "id"), textOf(trunk, "identification"), textOf(trunk, "tech_prefix"));
    source.network = digits::Network::parse(textOf(row, "network")).value_or(digits::Network());
    source.port = static_cast<std::uint16_t>(integerOf(row, "port"));
    source.match_port = flagOf(row, "match_port");
    sources.push_back(std::move(source));
  }
  return sources;
}

base::Result<std::vector<digits::AuthorisedSource>> existingSources(Change& change, std::int64_t own_id,
                                                                    const std::vector<digits::AuthorisedSource>& candidates) {
  std::vector<sql::Value> parameters = {own_id};
  const std::string where = overlapping(candidates, parameters);
  std::vector<digits::AuthorisedSource> sources;
  TG_TRY(
      change.session.each("SELECT s.trunk_id, s.id, t.identification, t.tech_prefix, s.network, s.port, s.match_port FROM trunk_sources s "
                          "JOIN trunks t ON t.id = s.trunk_id WHERE t.status = 'enabled' AND t.id <> ? AND (" +
                              where + ") ORDER BY s.trunk_id, s.position",
                          parameters, [&sources](const sql::Row& row) {
                            auto source = sourceOf(row.integer(0), row.text(2), row.text(3));
                            const auto network = digits::Network::parse(row.text(4));
                            if (!network) {
                              return;
                            }
                            source.row = base::SourceRowId(row.integer(1));
                            source.network = *network;
                            source.port = static_cast<std::uint16_t>(row.integer(5));
                            source.match_port = row.integer(6) != 0;
                            sources.push_back(std::move(source));
                          }));
  return sources;
}

std::size_t rowOf(const std::vector<digits::AuthorisedSource>& candidates, const digits::AuthorisedSource& row) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].network == row.network && candidates[i].port == row.port && candidates[i].match_port == row.match_port) {
      return i;
    }
  }
  return 0;
}

}  // namespace

Outcome<void> checkSources(Change& change, const Json& trunk) {
  const auto candidates = candidateSources(trunk);
  if (candidates.empty() || textOf(trunk, "status") != "enabled") {
    return {};
  }
  TG_PASS_ASSIGN(existing, existingSources(change, integerOf(trunk, "id"), candidates));
  const auto found = digits::findSourceConflict(existing, candidates);
  if (!found) {
    return {};
  }
  TG_PASS_ASSIGN(names, change.session.query("SELECT name FROM trunks WHERE id = ?", {found->existing.trunk.value()}));
  const auto name = names.empty() ? std::string() : " (\"" + names[0].text(0) + "\")";
  return conflict("sources[" + std::to_string(rowOf(candidates, found->candidate)) + "].network", "2.6",
                  found->explanation + "; the other trunk is " + std::to_string(found->existing.trunk.value()) + name);
}

}  // namespace tollgate::admin_api
