// Rate plans and their rates (REQUIREMENTS 8.1-8.3).
#include "libs/digits/digits.hpp"
#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

constexpr std::int64_t kSecondsMax = 86'400;

std::optional<std::string> checkDigits(Json& value) {
  return digits::isDigits(value.get<std::string>()) ? std::nullopt : std::optional<std::string>("must be digits only");
}

// Whether a call was priced with a rate of the plan (0 = any plan's) or with the rate.
Outcome<bool> hasCalls(sql::Session& session, std::string_view column, std::int64_t id) {
  for (const auto* rate_column : {"rate_id", "vendor_rate_id"}) {
    TG_PASS_ASSIGN(
        used, any(session,
                  "SELECT 1 FROM rates r JOIN cdrs c ON c." + std::string(rate_column) + " = r.id WHERE r." + std::string(column) + " = ?",
                  {id}));
    if (used) {
      return true;
    }
  }
  return false;
}

Outcome<void> conflictIfAttached(Change& change, std::int64_t plan, const std::string& field, const std::string& detail) {
  TG_PASS_ASSIGN(trunks,
                 change.session.query("SELECT id FROM trunks WHERE rate_plan_id = ? OR vendor_rate_plan_id = ? LIMIT 1", {plan, plan}));
  if (trunks.empty()) {
    return {};
  }
  return conflict(field, "8.1", "the plan is attached to trunk " + std::to_string(trunks[0].integer(0)) + detail);
}

Outcome<void> checkPlan(Change& change, const Json* before, Json& after) {
  if (before == nullptr) {
    return {};
  }
  const auto id = integerOf(*before, "id");
  TG_PASS_ASSIGN(used, hasCalls(change.session, "plan_id", id));
  if (used) {
    return conflict("", "8.1", "calls were priced with this plan, so it cannot be edited; rates may be added");
  }
  if (textOf(*before, "currency") != textOf(after, "currency")) {
    return conflictIfAttached(change, id, "currency", ", whose customer has currency " + textOf(*before, "currency"));
  }
  return {};
}

Outcome<void> checkPlanDelete(Change& change, const Json& before) {
  const auto id = integerOf(before, "id");
  TG_PASS_ASSIGN(used, hasCalls(change.session, "plan_id", id));
  if (used) {
    return conflict("", "8.1", "calls were priced with this plan, so it cannot be deleted");
  }
  TG_PASS(conflictIfAttached(change, id, "", ""));
  TG_PASS(change.session.execute("DELETE FROM rates WHERE plan_id = ?", {id}));
  return {};
}

Outcome<void> checkOverlap(Change& change, const Json& after) {
  const auto from = sql::fromTime(*parseTime(textOf(after, "valid_from")));
  std::string query =
      "SELECT id, valid_from, valid_to FROM rates WHERE plan_id = ? AND prefix = ? AND id <> ? AND (valid_to IS NULL OR valid_to > ?)";
  std::vector<sql::Value> parameters = {integerOf(after, "plan_id"), textOf(after, "prefix"), integerOf(after, "id"), from};
  if (!isNull(after, "valid_to")) {
    query += " AND valid_from < ?";
    parameters.push_back(sql::fromTime(*parseTime(textOf(after, "valid_to"))));
  }
  TG_PASS_ASSIGN(rows, change.session.query(query + " LIMIT 1", parameters));
  if (!rows.empty()) {
    const auto until = rows[0].isNull(2) ? std::string("further notice") : rows[0].text(2);
    return conflict("valid_from", "8.3",
                    "rate " + std::to_string(rows[0].integer(0)) + " of the same prefix is valid from " + rows[0].text(1) + " to " + until +
                        " UTC; end it first");
  }
  return {};
}

// Of a rate that priced calls only the end and the description may change, because CDRs refer to it.
Outcome<void> checkUnused(Change& change, const Json& before, const Json& after) {
  Json allowed = before;
  allowed["valid_to"] = after["valid_to"];
  allowed["description"] = after["description"];
  TG_PASS_ASSIGN(used, hasCalls(change.session, "id", integerOf(before, "id")));
  if (used && !sameContent(rateResource(), allowed, after)) {
    return conflict("", "8.1", "calls were priced with this rate; end it (valid_to) and add another");
  }
  return {};
}

Outcome<void> checkRate(Change& change, const Json* before, Json& after) {
  if (isNull(after, "valid_from")) {
    after["valid_from"] = base::formatRfc3339(std::chrono::floor<std::chrono::seconds>(change.now));
  }
  if (!isNull(after, "valid_to") && *parseTime(textOf(after, "valid_to")) <= *parseTime(textOf(after, "valid_from"))) {
    return invalid("valid_to", "8.2", "must be later than valid_from");
  }
  if (before != nullptr) {
    TG_PASS(checkUnused(change, *before, after));
  }
  return checkOverlap(change, after);
}

Outcome<void> checkRateDelete(Change& change, const Json& before) {
  TG_PASS_ASSIGN(used, hasCalls(change.session, "id", integerOf(before, "id")));
  if (used) {
    return conflict("", "8.1", "calls were priced with this rate, so it cannot be deleted; end it with valid_to");
  }
  return {};
}

std::vector<Field> rateFields() {
  return {
      {.name = "prefix",
       .rule = "8.2",
       .help = "0 to 15 digits; the longest that starts the number decides.",
       .required = true,
       .high = 15,
       .check = checkDigits,
       .filter = true,
       .sort = true},
      {.name = "description", .rule = "8.2", .fallback = "", .high = 128},
      {.name = "valid_from",
       .kind = Kind::kTime,
       .rule = "8.2",
       .help = "Default: now.",
       .keep_absent = true,
       .filter = true,
       .sort = true},
      {.name = "valid_to", .kind = Kind::kTime, .rule = "8.2", .help = "Exclusive; null = open.", .nullable = true},
      {.name = "rate_per_minute",
       .column = "per_minute_micros",
       .kind = Kind::kMoney,
       .rule = "8.2",
       .required = true,
       .high = base::limits::kRatePerMinuteMicrosMax,
       .sort = true},
      {.name = "connection_fee",
       .column = "connection_fee_micros",
       .kind = Kind::kMoney,
       .rule = "8.2",
       .fallback = "0.000000",
       .high = base::limits::kRatePerMinuteMicrosMax},
      {.name = "connection_seconds", .kind = Kind::kInteger, .rule = "8.2", .help = "Minimum billed.", .fallback = 0, .high = kSecondsMax},
      {.name = "billing_block_seconds", .kind = Kind::kInteger, .rule = "8.2", .fallback = 1, .low = 1, .high = kSecondsMax},
  };
}

}  // namespace

Resource ratePlanResource() {
  Resource resource{.name = "RatePlan", .noun = "rate plan", .path = "/v1/rate-plans", .entity = "rate_plan", .table = "rate_plans"};
  resource.fields = {
      {.name = "name", .rule = "8.1", .required = true, .low = 1, .high = 128, .filter = true, .sort = true},
      currencyField(),
      {.name = "scope",
       .rule = "8.1",
       .help = "customer prices the incoming side of trunks, vendor the outgoing side.",
       .required = true,
       .fixed = true,
       .choices = {"customer", "vendor"},
       .filter = true,
       .sort = true},
  };
  resource.check = checkPlan;
  resource.check_delete = checkPlanDelete;
  return resource;
}

Resource rateResource() {
  Resource resource{.name = "Rate",
                    .noun = "rate",
                    .path = "/v1/rate-plans/{id}/rates",
                    .id_parameter = "rate_id",
                    .entity = "rate",
                    .table = "rates",
                    .parent_column = "plan_id",
                    .parent_table = "rate_plans",
                    .parent_noun = "rate plan"};
  resource.fields = rateFields();
  resource.check = checkRate;
  resource.check_delete = checkRateDelete;
  return resource;
}

}  // namespace tollgate::admin_api
