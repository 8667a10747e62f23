// Dialpeers (REQUIREMENTS 3.1, 3.2, 3.7).
#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

Field requiredReference(const char* name, const char* help, const char* column = "") {
  auto field = referenceField(name, "3.1", help);
  field.column = column;
  field.required = true;
  field.nullable = false;
  field.sort = true;
  return field;
}

Outcome<void> checkDialpeer(Change& change, const Json* /*before*/, Json& after) {
  const auto customer = integerOf(after, "customer_id");
  const auto trunk = integerOf(after, "trunk_id");
  const auto rule = integerOf(after, "routing_rule_id");
  TG_PASS_ASSIGN(customer_known, exists(change.session, "customers", customer));
  if (!customer_known) {
    return invalid("customer_id", "1.4", "there is no customer " + std::to_string(customer));
  }
  TG_PASS_ASSIGN(trunks, change.session.query("SELECT customer_id, name FROM trunks WHERE id = ?", {trunk}));
  if (trunks.empty()) {
    return invalid("trunk_id", "3.1", "there is no trunk " + std::to_string(trunk));
  }
  if (trunks[0].integer(0) != customer) {
    return invalid("trunk_id", "3.2", "trunk \"" + trunks[0].text(1) + "\" belongs to another customer");
  }
  TG_PASS_ASSIGN(rules, change.session.query("SELECT trunk_scope_id FROM routing_rules WHERE id = ?", {rule}));
  if (rules.empty()) {
    return invalid("routing_rule_id", "3.1", "there is no routing rule " + std::to_string(rule));
  }
  if (!rules[0].isNull(0) && rules[0].integer(0) != trunk) {
    return invalid("routing_rule_id", "3.5", "the rule is only for calls of trunk " + std::to_string(rules[0].integer(0)));
  }
  return conflictIfDialpeer(change, "customer_id = ? AND rule_id = ? AND trunk_id = ? AND id <> ?",
                            {customer, rule, trunk, integerOf(after, "id")}, "routing_rule_id", "3.2",
                            "joins the same customer, rule and trunk");
}

// REQUIREMENTS 3.7.
base::Result<void> decorate(Backend& /*backend*/, sql::Session& session, std::vector<Json>& page) {
  TG_TRY_ASSIGN(row_of, rowsById(session,
                                 "SELECT d.id, c.name, t.name, r.code, r.label FROM dialpeers d JOIN customers c ON c.id = d.customer_id "
                                 "JOIN trunks t ON t.id = d.trunk_id JOIN routing_rules r ON r.id = d.rule_id WHERE d.id",
                                 page));
  constexpr const char* kNames[] = {"customer_name", "trunk_name", "rule_code", "rule_label"};
  for (auto& dialpeer : page) {
    const auto row = row_of.find(integerOf(dialpeer, "id"));
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      dialpeer[kNames[i]] = row == row_of.end() ? Json(nullptr) : Json(row->second.text(1 + i));
    }
  }
  return {};
}

}  // namespace

Resource dialpeerResource() {
  Resource resource{.name = "Dialpeer", .noun = "dialpeer", .path = "/v1/dialpeers", .entity = "dialpeer", .table = "dialpeers"};
  resource.fields = {
      {.name = "display_name", .rule = "3.1", .required = true, .low = 1, .high = 128, .filter = true, .sort = true},
      requiredReference("customer_id", "Whose calls."),
      requiredReference("trunk_id", "A trunk of that customer."),
      requiredReference("routing_rule_id", "", "rule_id"),
      {.name = "active", .kind = Kind::kFlag, .rule = "3.1", .fallback = true, .filter = true},
  };
  const Json text_or_null = {{"type", {"string", "null"}}};
  resource.shown = {
      {"customer_name", text_or_null}, {"trunk_name", text_or_null}, {"rule_code", text_or_null}, {"rule_label", text_or_null}};
  resource.check = checkDialpeer;
  resource.decorate = decorate;
  return resource;
}

}  // namespace tollgate::admin_api
