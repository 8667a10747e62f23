// Routing rules with their targets (REQUIREMENTS 3.3, 3.5, 3.6).
#include <set>

#include "libs/digits/digits.hpp"
#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/dial_plan.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

std::optional<std::string> checkCode(Json& value) {
  return digits::isDigits(value.get<std::string>()) ? std::nullopt : std::optional<std::string>("must be 0 to 15 digits");
}

Field lengthField(const char* name) {
  return {.name = name,
          .kind = Kind::kInteger,
          .rule = "3.3",
          .help = "Length of the called number, null = any.",
          .nullable = true,
          .low = 1,
          .high = static_cast<std::int64_t>(base::limits::kDigitsMax)};
}

std::vector<Field> ruleFields() {
  return {
      {.name = "code",
       .rule = "3.5",
       .help = "Longest code that starts the number wins; empty = catch-all.",
       .required = true,
       .high = static_cast<std::int64_t>(base::limits::kRuleCodeDigitsMax),
       .check = checkCode,
       .filter = true,
       .sort = true},
      {.name = "label",
       .rule = "3.5",
       .help = "Filled from the dial plan of countries when empty.",
       .fallback = "",
       .high = 128,
       .filter = true,
       .sort = true},
      {.name = "mode",
       .rule = "3.6",
       .fallback = "priority",
       .choices = {"priority", "weight", "percent"},
       .later = {"cheapest", "quality"},
       .filter = true},
      referenceField("trunk_scope_id", "3.5", "Only calls of this trunk; null = all."),
      {.name = "active", .kind = Kind::kFlag, .rule = "3.5", .fallback = true, .filter = true},
      lengthField("min_digits"),
      lengthField("max_digits"),
  };
}

RowSet targetRows() {
  return {.name = "targets",
          .table = "routing_targets",
          .owner_column = "rule_id",
          .rule = "3.6",
          .help = "Trunks with outgoing allowed.",
          .rows_max = base::limits::kCandidatesMax,
          .fields = {
              {.name = "trunk_id", .kind = Kind::kInteger, .rule = "3.6", .required = true, .low = 1, .high = INT64_MAX},
              {.name = "priority", .kind = Kind::kInteger, .rule = "3.6", .help = "0 first.", .fallback = 0, .high = 1000},
              {.name = "weight", .kind = Kind::kInteger, .rule = "3.6", .fallback = 1, .high = 1'000'000},
          }};
}

Outcome<void> checkTargets(Change& change, const Json& after) {
  std::set<std::int64_t> seen;
  std::int64_t weight_sum = 0;
  const auto& targets = after["targets"];
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto field = "targets[" + std::to_string(i) + "].trunk_id";
    const auto trunk = integerOf(targets[i], "trunk_id");
    weight_sum += integerOf(targets[i], "weight");
    if (!seen.insert(trunk).second) {
      return invalid(field, "3.6", "trunk " + std::to_string(trunk) + " is in the list twice");
    }
    TG_PASS_ASSIGN(rows, change.session.query("SELECT name, max_concurrent_outgoing FROM trunks WHERE id = ?", {trunk}));
    if (rows.empty()) {
      return invalid(field, "3.6", "there is no trunk " + std::to_string(trunk));
    }
    if (!rows[0].isNull(1) && rows[0].integer(1) == 0) {
      return invalid(field, "3.6", "trunk \"" + rows[0].text(0) + "\" does not allow outgoing calls: its max_concurrent_outgoing is 0");
    }
  }
  if (textOf(after, "mode") == "percent" && !targets.empty() && weight_sum == 0) {
    return invalid("targets[0].weight", "3.6", "mode percent shares calls by weight, so one weight must be above 0");
  }
  return {};
}

// REQUIREMENTS 3.5: a dialpeer of another trunk cannot use a scoped rule, and a scope cannot exclude a dialpeer that uses the rule.
Outcome<void> checkScope(Change& change, const Json* before, const Json& after) {
  if (isNull(after, "trunk_scope_id")) {
    return {};
  }
  const auto scope = integerOf(after, "trunk_scope_id");
  TG_PASS_ASSIGN(known, exists(change.session, "trunks", scope));
  if (!known) {
    return invalid("trunk_scope_id", "3.5", "there is no trunk " + std::to_string(scope));
  }
  if (before == nullptr) {
    return {};
  }
  return conflictIfDialpeer(change, "rule_id = ? AND trunk_id <> ?", {integerOf(*before, "id"), scope}, "trunk_scope_id", "3.5",
                            "of another trunk links this rule");
}

// An empty label is filled, and a filled one follows the code.
void fillLabel(const Json* before, Json& after) {
  const bool follows = before != nullptr && textOf(*before, "label") == textOf(after, "label") &&
                       textOf(*before, "label") == dialPlanLabel(textOf(*before, "code"));
  if (textOf(after, "label").empty() || follows) {
    after["label"] = dialPlanLabel(textOf(after, "code"));
  }
}

Outcome<void> checkRule(Change& change, const Json* before, Json& after) {
  fillLabel(before, after);
  if (!isNull(after, "min_digits") && !isNull(after, "max_digits") && integerOf(after, "min_digits") > integerOf(after, "max_digits")) {
    return invalid("max_digits", "3.3", "must not be below min_digits");
  }
  TG_PASS(checkScope(change, before, after));
  return checkTargets(change, after);
}

Outcome<void> checkDelete(Change& change, const Json& before) {
  return conflictIfDialpeer(change, "rule_id = ?", {integerOf(before, "id")}, "", "3.1", "links it");
}

}  // namespace

Resource routingRuleResource() {
  Resource resource{
      .name = "RoutingRule", .noun = "routing rule", .path = "/v1/routing-rules", .entity = "routing_rule", .table = "routing_rules"};
  resource.fields = ruleFields();
  resource.rows = {targetRows()};
  resource.check = checkRule;
  resource.check_delete = checkDelete;
  return resource;
}

}  // namespace tollgate::admin_api
