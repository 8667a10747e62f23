// Customers (REQUIREMENTS 1).
#include <algorithm>
#include <map>

#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/iso_codes.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

using base::limits::kMoneyMicrosMax;

std::optional<std::string> checkCountry(Json& value) {
  return isCountry(value.get<std::string>()) ? std::nullopt
                                             : std::optional<std::string>("must be an ISO 3166 alpha-2 country code in capitals, like GB");
}

std::optional<std::string> checkEmail(Json& value) {
  const auto text = value.get<std::string>();
  const auto at = text.find('@');
  const bool shaped = at != std::string::npos && at > 0 && at + 1 < text.size() && text.find('@', at + 1) == std::string::npos &&
                      text.find(' ') == std::string::npos;
  return shaped ? std::nullopt : std::optional<std::string>("must be an e-mail address");
}

std::optional<std::string> checkPhone(Json& value) {
  const auto text = value.get<std::string>();
  const bool known =
      text.find_first_not_of("0123456789+-(). /") == std::string::npos && text.find_first_of("0123456789") != std::string::npos;
  return known ? std::nullopt : std::optional<std::string>("must be a phone number");
}

std::vector<Field> customerFields() {
  return {
      {.name = "name", .rule = "1.1", .required = true, .low = 1, .high = 128, .filter = true, .sort = true},
      {.name = "country",
       .rule = "1.1",
       .help = "ISO 3166 alpha-2.",
       .required = true,
       .low = 2,
       .high = 2,
       .check = checkCountry,
       .filter = true,
       .sort = true},
      {.name = "email", .rule = "1.1", .nullable = true, .low = 3, .high = 254, .check = checkEmail, .filter = true},
      {.name = "phone", .rule = "1.1", .nullable = true, .low = 3, .high = 32, .check = checkPhone},
      currencyField(),
      {.name = "billing_type", .rule = "1.2", .fallback = "prepaid", .choices = {"prepaid", "postpaid"}, .filter = true, .sort = true},
      {.name = "credit_line",
       .column = "credit_line_micros",
       .kind = Kind::kMoney,
       .rule = "1.3",
       .help = "Postpaid: how far below zero.",
       .fallback = "0.000000",
       .high = kMoneyMicrosMax},
      {.name = "unlimited", .kind = Kind::kFlag, .rule = "1.3", .help = "Postpaid without a floor.", .fallback = false, .filter = true},
      {.name = "overdraft_allowed", .kind = Kind::kFlag, .rule = "1.3", .fallback = false},
      {.name = "overdraft_limit",
       .column = "overdraft_limit_micros",
       .kind = Kind::kMoney,
       .rule = "1.3",
       .help = "Postpaid: further below the credit line when overdraft is allowed.",
       .fallback = "0.000000",
       .high = kMoneyMicrosMax},
      {.name = "status",
       .rule = "1.7",
       .help = "blocked: new calls are refused, calls in progress go on.",
       .fallback = "active",
       .choices = {"active", "blocked"},
       .filter = true,
       .sort = true},
  };
}

Outcome<void> checkPrepaid(const Json& after) {
  if (textOf(after, "billing_type") != "prepaid") {
    return {};
  }
  for (const auto* name : {"credit_line", "overdraft_limit"}) {
    if (micros(after[name]) != 0) {
      return invalid(name, "1.3", "belongs to postpaid customers; a prepaid one has none");
    }
  }
  for (const auto* name : {"unlimited", "overdraft_allowed"}) {
    if (flagOf(after, name)) {
      return invalid(name, "1.3", "belongs to postpaid customers; a prepaid one has none");
    }
  }
  return {};
}

std::string accountOf(std::int64_t id) {
  return "customer:" + std::to_string(id);
}

Outcome<void> checkCurrency(Change& change, const Json& before, const Json& after) {
  const auto id = integerOf(before, "id");
  if (textOf(before, "currency") == textOf(after, "currency")) {
    return {};
  }
  TG_PASS(conflictIfAny(change, "SELECT 1 FROM ledger_entries WHERE account = ? UNION SELECT 1 FROM cdrs WHERE customer_id = ?",
                        {accountOf(id), id}, "currency", "8.1",
                        "cannot change: the customer has movements or calls in " + textOf(before, "currency")));
  TG_PASS_ASSIGN(plans, change.session.query("SELECT t.id, p.name FROM trunks t JOIN rate_plans p ON p.id IN (t.rate_plan_id, "
                                             "t.vendor_rate_plan_id) WHERE t.customer_id = ? AND p.currency <> ? LIMIT 1",
                                             {id, textOf(after, "currency")}));
  if (!plans.empty()) {
    return conflict("currency", "8.1",
                    "rate plan \"" + plans[0].text(1) + "\" of trunk " + std::to_string(plans[0].integer(0)) + " has another currency");
  }
  return {};
}

Outcome<void> checkCustomer(Change& change, const Json* before, Json& after) {
  TG_PASS(checkPrepaid(after));
  if (before != nullptr) {
    return checkCurrency(change, *before, after);
  }
  const auto id = integerOf(after, "id");
  if (id != 0) {
    // The ledger is append-only: a new customer with the id of a deleted one would take over its money.
    return conflictIfAny(change, "SELECT 1 FROM ledger_entries WHERE account = ?", {accountOf(id)}, "id", "9.4",
                         "a deleted customer with ledger entries had this id; choose another");
  }
  return {};
}

// REQUIREMENTS 1.6. A trunk with calls cannot be deleted, so calls carried as a vendor are covered by the trunks.
Outcome<void> checkDelete(Change& change, const Json& before) {
  const auto id = integerOf(before, "id");
  TG_PASS_ASSIGN(rules, change.session.query(
                            "SELECT r.id, r.code FROM routing_rules r JOIN trunks t ON t.id = r.trunk_scope_id WHERE t.customer_id = ? "
                            "UNION SELECT r.id, r.code FROM routing_rules r JOIN routing_targets g ON g.rule_id = r.id "
                            "JOIN trunks t ON t.id = g.trunk_id WHERE t.customer_id = ? LIMIT 1",
                            {id, id}));
  if (!rules.empty()) {
    return conflict("", "1.6",
                    "routing rule " + std::to_string(rules[0].integer(0)) + " (code " +
                        (rules[0].text(1).empty() ? "*" : rules[0].text(1)) + ") uses one of its trunks");
  }
  TG_PASS_ASSIGN(trunks, change.session.query("SELECT COUNT(*) FROM trunks WHERE customer_id = ?", {id}));
  if (!trunks.empty() && trunks[0].integer(0) > 0) {
    return conflict("", "1.6", "the customer has " + std::to_string(trunks[0].integer(0)) + " trunks; delete them first");
  }
  TG_PASS(conflictIfAny(change, "SELECT 1 FROM cdrs WHERE customer_id = ?", {id}, "", "1.6",
                        "the customer has call history; block it instead"));
  return conflictIfAny(change, "SELECT 1 FROM dialpeers WHERE customer_id = ?", {id}, "", "1.6",
                       "the customer has dialpeers; remove them first");
}

// REQUIREMENTS 1.5. The balance is the posted one; holds of live calls are in customers/{id}/balance.
base::Result<void> decorate(Backend& /*backend*/, sql::Session& session, std::vector<Json>& page) {
  TG_TRY_ASSIGN(
      counts, rowsById(session, "SELECT id, (SELECT COUNT(*) FROM trunks WHERE customer_id = customers.id) FROM customers WHERE id", page));
  std::vector<sql::Value> accounts;
  for (const auto& customer : page) {
    accounts.emplace_back(accountOf(integerOf(customer, "id")));
  }
  std::map<std::string, std::int64_t> sum_of;
  TG_TRY(sql::eachIn(session, "SELECT account, balance_micros FROM accounts WHERE account", accounts,
                     [&sum_of](const sql::Row& row) { sum_of[row.text(0)] = row.integer(1); }));
  for (auto& customer : page) {
    const auto id = integerOf(customer, "id");
    const auto counted = counts.find(id);
    customer["trunk_count"] = counted == counts.end() ? 0 : counted->second.integer(1);
    customer["balance"] = moneyText(sum_of[accountOf(id)]);
  }
  return {};
}

}  // namespace

Field currencyField() {
  const auto check = [](Json& value) {
    return isCurrency(value.get<std::string>()) ? std::nullopt
                                                : std::optional<std::string>("must be an ISO 4217 currency code in capitals, like USD");
  };
  return {.name = "currency",
          .rule = "8.1",
          .help = "ISO 4217.",
          .fallback = "USD",
          .low = 3,
          .high = 3,
          .check = check,
          .filter = true,
          .sort = true};
}

Resource customerResource() {
  Resource resource{.name = "Customer", .noun = "customer", .path = "/v1/customers", .entity = "customer", .table = "customers"};
  resource.fields = customerFields();
  resource.shown = {{"trunk_count", {{"type", "integer"}}},
                    {"balance", {{"type", "string"}, {"description", "Posted balance. (REQUIREMENTS 1.5)"}}}};
  resource.check = checkCustomer;
  resource.check_delete = checkDelete;
  resource.decorate = decorate;
  return resource;
}

}  // namespace tollgate::admin_api
