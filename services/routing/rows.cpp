// Reads rows of MySQL into routing's own types.
#include <algorithm>
#include <optional>

#include "libs/digits/ip.hpp"
#include "services/routing/tables.hpp"

namespace tollgate::routing {
namespace {

Mode modeFromWord(std::string_view word) {
  if (word == "priority") {
    return Mode::kPriority;
  }
  if (word == "weight") {
    return Mode::kWeight;
  }
  return word == "percent" ? Mode::kPercent : Mode::kUnsupported;
}

std::optional<std::size_t> optionalCount(const sql::Row& row, std::size_t column) {
  return row.isNull(column) ? std::nullopt : std::optional(static_cast<std::size_t>(std::max<std::int64_t>(0, row.integer(column))));
}

Trunk toTrunk(const sql::Row& row) {
  Trunk trunk;
  trunk.id = base::TrunkId(row.integer(0));
  trunk.customer = base::CustomerId(row.integer(1));
  trunk.name = row.text(2);
  trunk.enabled = row.text(3) == "enabled";
  trunk.outgoing_allowed = row.isNull(4) || row.integer(4) > 0;
  trunk.unified_caller = row.text(5);
  trunk.request_uri_parameter = row.text(6);
  trunk.next = base::TrunkId(row.integer(7));
  trunk.try_timeout = std::chrono::milliseconds(row.integer(8));
  trunk.ringing_timeout = std::chrono::seconds(row.integer(9));
  return trunk;
}

}  // namespace

base::Result<void> Tables::readTrunks(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows) {
  return session.each(
      "SELECT id, customer_id, name, status, max_concurrent_outgoing, unified_caller, request_uri_parameter, next_trunk_id, "
      "try_timeout_ms, ringing_timeout_seconds FROM trunks" +
          filter.where("id"),
      filter.values(), [&rows](const sql::Row& row) {
        Trunk trunk = toTrunk(row);
        rows.insert_or_assign(trunk.id, std::move(trunk));
      });
}

base::Result<void> Tables::readEndpoints(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows) {
  return session.each(
      "SELECT id, trunk_id, address, port, transport FROM trunk_endpoints" + filter.where("trunk_id") + " ORDER BY trunk_id, position, id",
      filter.values(), [this, &rows](const sql::Row& row) {
        const auto trunk = rows.find(base::TrunkId(row.integer(1)));
        if (trunk == rows.end()) {
          return;
        }
        const auto address = digits::IpAddress::parse(row.text(2));
        const auto transport = base::transportFromWord(row.text(4));
        const std::int64_t port = row.integer(3);
        if (!address || !transport || port < 1 || port > UINT16_MAX) {
          refuseRow("trunk_endpoints", row.integer(0));
          return;
        }
        trunk->second.endpoints.push_back(
            {base::EndpointId(row.integer(0)), address->text(), static_cast<std::uint16_t>(port), *transport});
      });
}

base::Result<void> Tables::readRules(sql::Session& session, const feed::IdFilter& filter, RuleRows& rows) {
  return session.each(
      "SELECT id, code, label, mode, trunk_scope_id, active, min_digits, max_digits FROM routing_rules" + filter.where("id"),
      filter.values(), [this, &rows](const sql::Row& row) {
        const auto code = digits::PrefixCode::parse(row.text(1));
        if (!code) {
          refuseRow("routing_rules", row.integer(0));
          return;
        }
        Rule rule;
        rule.id = base::RuleId(row.integer(0));
        rule.code = *code;
        rule.label = row.text(2);
        rule.mode = modeFromWord(row.text(3));
        rule.scope = base::TrunkId(row.integer(4));
        rule.active = row.integer(5) != 0;
        rule.digits_min = optionalCount(row, 6);
        rule.digits_max = optionalCount(row, 7);
        rows.insert_or_assign(rule.id, std::move(rule));
      });
}

base::Result<void> Tables::readTargets(sql::Session& session, const feed::IdFilter& filter, RuleRows& rows) {
  return session.each(
      "SELECT rule_id, trunk_id, priority, weight FROM routing_targets" + filter.where("rule_id") + " ORDER BY rule_id, position",
      filter.values(), [&rows](const sql::Row& row) {
        const auto rule = rows.find(base::RuleId(row.integer(0)));
        if (rule != rows.end()) {
          rule->second.targets.push_back({base::TrunkId(row.integer(1)), row.integer(2),
                                          static_cast<std::uint32_t>(std::clamp<std::int64_t>(row.integer(3), 0, UINT32_MAX))});
        }
      });
}

base::Result<void> Tables::readDialpeers(sql::Session& session, const feed::IdFilter& filter,
                                         const std::function<void(const DialpeerRow&)>& take) {
  return session.each(
      "SELECT id, customer_id, trunk_id, rule_id, active FROM dialpeers" + filter.where("id"), filter.values(),
      [&take](const sql::Row& row) {
        take({base::TrunkId(row.integer(2)),
              {base::DialpeerId(row.integer(0)), base::CustomerId(row.integer(1)), base::RuleId(row.integer(3)), row.integer(4) != 0}});
      });
}

}  // namespace tollgate::routing
