#include "services/admin_api/resources/sources_rule.hpp"

#include <vector>

#include "libs/digits/sources.hpp"

namespace tollgate::admin_api {
namespace {

// The SQL condition for rows that may overlap the network, so that not every row of every trunk is read. It compares the whole octets of
// an IPv4 network.
std::string nearby(const digits::Network& network, std::vector<sql::Value>& parameters) {
  if (!network.isV4()) {
    return "s.network LIKE '%:%'";
  }
  const auto octets = static_cast<std::size_t>(network.length() / 8);
  if (octets == 0) {
    return "s.network NOT LIKE '%:%'";
  }
  const auto text = network.address().text();
  std::size_t end = 0;
  for (std::size_t i = 0; i < octets && end != std::string::npos; ++i) {
    end = text.find('.', end == 0 ? 0 : end + 1);
  }
  const auto head = end == std::string::npos ? text + "/" : text.substr(0, end + 1);
  parameters.emplace_back(head + "%");
  return "(s.network LIKE ? OR (s.network NOT LIKE '%:%' AND CAST(SUBSTRING_INDEX(s.network, '/', -1) AS UNSIGNED) < " +
         std::to_string(octets * 8) + "))";
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
  std::string where;
  std::vector<sql::Value> parameters = {own_id};
  for (const auto& candidate : candidates) {
    where += (where.empty() ? "" : " OR ") + nearby(candidate.network, parameters);
  }
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
