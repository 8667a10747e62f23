// Trunks with their sources and endpoints (REQUIREMENTS 2).
#include <map>
#include <set>

#include "libs/digits/digits.hpp"
#include "libs/digits/ip.hpp"
#include "libs/telemetry/log.hpp"
#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/resource.hpp"
#include "services/admin_api/resources/sources_rule.hpp"
#include "services/admin_api/resources/store.hpp"
#include "tollgate/billing/v1/billing.rpc.h"

namespace tollgate::admin_api {
namespace {

constexpr std::int64_t kCallsMax = 1'000'000;
constexpr std::size_t kSourcesMax = 64;
constexpr int kChainMax = 32;

std::optional<std::string> checkTechPrefix(Json& value) {
  return digits::isDigits(value.get<std::string>()) ? std::nullopt : std::optional<std::string>("must be 1 to 6 digits");
}

std::optional<std::string> checkNetwork(Json& value) {
  const auto network = digits::Network::parse(value.get<std::string>());
  if (!network) {
    return network.error().message;
  }
  value = network->text();
  return std::nullopt;
}

std::optional<std::string> checkAddress(Json& value) {
  const auto address = digits::IpAddress::parse(value.get<std::string>());
  if (!address) {
    return "must be an IPv4 or IPv6 address; host names are not available yet";
  }
  value = address->text();
  return std::nullopt;
}

std::optional<std::string> checkUnifiedCaller(Json& value) {
  const auto text = value.get<std::string>();
  const bool number = digits::isDigits(text.starts_with('+') ? text.substr(1) : text) && text != "+";
  return number ? std::nullopt : std::optional<std::string>("must be a number: digits, a + before them allowed");
}

// token[=token] of RFC 3261.
std::optional<std::string> checkUriParameter(Json& value) {
  const auto text = value.get<std::string>();
  constexpr std::string_view kToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~";
  const auto equals = text.find('=');
  const auto left = text.substr(0, equals);
  const auto right = equals == std::string::npos ? std::string("x") : text.substr(equals + 1);
  const bool shaped = text.empty() || (!left.empty() && !right.empty() && left.find_first_not_of(kToken) == std::string::npos &&
                                       right.find_first_not_of(kToken) == std::string::npos);
  return shaped ? std::nullopt : std::optional<std::string>("must be one URI parameter like user=phone");
}

std::optional<std::string> checkNoRelay(Json& value) {
  return value.get<bool>() ? std::optional<std::string>("relaying media is not available yet; only false") : std::nullopt;
}

Field limitField(const char* name, std::int64_t low, Json fallback, const char* help) {
  return {.name = name,
          .kind = Kind::kInteger,
          .rule = "2.1",
          .help = help,
          .nullable = true,
          .fallback = std::move(fallback),
          .low = low,
          .high = kCallsMax};
}

std::vector<Field> trunkFields() {
  return {
      {.name = "customer_id",
       .kind = Kind::kInteger,
       .rule = "2.1",
       .required = true,
       .fixed = true,
       .low = 1,
       .high = INT64_MAX,
       .filter = true,
       .sort = true},
      {.name = "name", .rule = "2.1", .required = true, .low = 1, .high = 128, .filter = true, .sort = true},
      {.name = "identification",
       .rule = "2.2",
       .fallback = "prefix",
       .choices = {"prefix", "peer"},
       .later = {"registration"},
       .filter = true},
      {.name = "tech_prefix",
       .rule = "2.2",
       .help = "1 to 6 digits, for identification prefix.",
       .fallback = "",
       .high = 6,
       .check = checkTechPrefix,
       .filter = true,
       .sort = true},
      referenceField("rate_plan_id", "8.1", "Customer plan: prices the incoming side."),
      referenceField("vendor_rate_plan_id", "8.1", "Vendor plan: prices the outgoing side."),
      limitField("max_concurrent_incoming", 0, 10, "0 = direction off, null = no limit."),
      limitField("max_concurrent_outgoing", 0, 0, "0 = direction off, null = no limit."),
      limitField("max_cps_incoming", 1, nullptr, "New calls per second, null = no limit."),
      limitField("max_cps_outgoing", 1, nullptr, "New calls per second, null = no limit."),
      {.name = "unified_caller",
       .rule = "2.12",
       .help = "Replaces the caller in outgoing calls.",
       .fallback = "",
       .high = 32,
       .check = checkUnifiedCaller},
      {.name = "request_uri_parameter",
       .rule = "2.13",
       .help = "Added to the Request-URI of outgoing calls, e.g. user=phone.",
       .fallback = "",
       .high = 64,
       .check = checkUriParameter},
      {.name = "outgoing_group", .kind = Kind::kInteger, .rule = "2.14", .fallback = 0, .high = INT32_MAX, .filter = true},
      referenceField("next_trunk_id", "2.15", "Where the call goes when this trunk fails; null = release."),
      {.name = "relay_media", .kind = Kind::kFlag, .rule = "2.16", .fallback = false, .check = checkNoRelay},
      {.name = "try_timeout_ms",
       .kind = Kind::kInteger,
       .rule = "5.2",
       .help = "No response at all to an INVITE.",
       .fallback = 4000,
       .low = 100,
       .high = 32'000},
      {.name = "ringing_timeout_seconds", .kind = Kind::kInteger, .rule = "5.3", .fallback = 90, .low = 1, .high = 600},
      {.name = "status",
       .rule = "2.8",
       .help = "disabled = no new calls.",
       .fallback = "enabled",
       .choices = {"enabled", "disabled"},
       .filter = true,
       .sort = true},
  };
}

RowSet sourceRows() {
  return {.name = "sources",
          .table = "trunk_sources",
          .owner_column = "trunk_id",
          .has_id = true,
          .rule = "2.3",
          .help = "Addresses that calls of this trunk come from; at least one.",
          .rows_max = kSourcesMax,
          .fields = {
              {.name = "network",
               .rule = "2.3",
               .help = "IPv4 or IPv6 host or CIDR.",
               .required = true,
               .low = 1,
               .high = 49,
               .check = checkNetwork},
              {.name = "port", .kind = Kind::kInteger, .rule = "2.3", .fallback = 5060, .low = 1, .high = 65535},
              {.name = "match_port", .kind = Kind::kFlag, .rule = "2.3", .help = "The source port must equal port.", .fallback = false},
              {.name = "codecs",
               .kind = Kind::kWords,
               .rule = "2.3",
               .fallback = Json::array({"PCMU", "PCMA"}),
               .choices = {"PCMU", "PCMA", "G729"}},
              {.name = "note", .rule = "2.3", .fallback = "", .high = 255},
          }};
}

RowSet endpointRows() {
  return {.name = "endpoints",
          .table = "trunk_endpoints",
          .owner_column = "trunk_id",
          .has_id = true,
          .rule = "2.10",
          .help = "Where outgoing calls are sent, in order.",
          .rows_max = base::limits::kEndpointsPerTrunkMax,
          .fields = {
              {.name = "address", .rule = "2.10", .help = "IP literal.", .required = true, .low = 1, .high = 45, .check = checkAddress},
              {.name = "port", .kind = Kind::kInteger, .rule = "2.10", .fallback = 5060, .low = 1, .high = 65535},
              {.name = "transport", .rule = "2.10", .fallback = "udp", .choices = {"udp"}, .later = {"tcp", "tls"}},
          }};
}

// REQUIREMENTS 2.2, 2.3.
Outcome<void> checkIdentification(const Json& after) {
  const bool by_prefix = textOf(after, "identification") == "prefix";
  const auto prefix = textOf(after, "tech_prefix");
  if (by_prefix && prefix.empty()) {
    return invalid("tech_prefix", "2.2", "is required for identification prefix: 1 to 6 digits");
  }
  if (!by_prefix && !prefix.empty()) {
    return invalid("tech_prefix", "2.2", "belongs to identification prefix; leave it empty for " + textOf(after, "identification"));
  }
  if (after["sources"].empty()) {
    return invalid("sources", "2.3", "must have at least one row for identification " + textOf(after, "identification"));
  }
  std::set<std::tuple<std::string, std::int64_t, bool>> seen;
  for (std::size_t i = 0; i < after["sources"].size(); ++i) {
    const auto& source = after["sources"][i];
    if (!seen.emplace(textOf(source, "network"), integerOf(source, "port"), flagOf(source, "match_port")).second) {
      return invalid("sources[" + std::to_string(i) + "].network", "2.3", "is in the list twice");
    }
  }
  return {};
}

// REQUIREMENTS 8.1: the plan exists, is of the right side, and has the customer's currency.
Outcome<void> checkPlan(Change& change, const Json& after, const std::string& field, const std::string& scope,
                        const std::string& currency) {
  if (isNull(after, field)) {
    return {};
  }
  TG_PASS_ASSIGN(plans, change.session.query("SELECT name, scope, currency FROM rate_plans WHERE id = ?", {integerOf(after, field)}));
  if (plans.empty()) {
    return invalid(field, "8.1", "there is no rate plan " + std::to_string(integerOf(after, field)));
  }
  if (plans[0].text(1) != scope) {
    return invalid(field, "8.1", "\"" + plans[0].text(0) + "\" is a " + plans[0].text(1) + " plan; this side takes a " + scope + " plan");
  }
  if (plans[0].text(2) != currency) {
    return invalid(field, "8.1", "\"" + plans[0].text(0) + "\" is in " + plans[0].text(2) + ", the customer in " + currency);
  }
  return {};
}

// REQUIREMENTS 2.15: the next trunk exists and the chain ends.
Outcome<void> checkNextTrunk(Change& change, const Json& after) {
  const auto own = integerOf(after, "id");
  auto next = integerOf(after, "next_trunk_id");
  std::string chain;
  for (int hops = 0; next != 0; ++hops) {
    if (next == own && own != 0) {
      return conflict("next_trunk_id", "2.15",
                      "makes a cycle" + (chain.empty() ? std::string(": the trunk itself") : " over trunk" + chain));
    }
    if (hops == kChainMax) {
      return invalid("next_trunk_id", "2.15", "makes a chain of more than " + std::to_string(kChainMax) + " trunks");
    }
    TG_PASS_ASSIGN(rows, change.session.query("SELECT next_trunk_id FROM trunks WHERE id = ?", {next}));
    if (rows.empty()) {
      // Only the first can be missing; a new trunk may not name the id it is about to get either.
      return invalid("next_trunk_id", "2.15", "there is no trunk " + std::to_string(next));
    }
    chain += " " + std::to_string(next);
    next = rows[0].integer(0);
  }
  return {};
}

Outcome<void> checkTrunk(Change& change, const Json* /*before*/, Json& after) {
  TG_PASS_ASSIGN(customers, change.session.query("SELECT currency FROM customers WHERE id = ?", {integerOf(after, "customer_id")}));
  if (customers.empty()) {
    return invalid("customer_id", "1.4", "there is no customer " + std::to_string(integerOf(after, "customer_id")));
  }
  TG_PASS(checkIdentification(after));
  TG_PASS(checkPlan(change, after, "rate_plan_id", "customer", customers[0].text(0)));
  TG_PASS(checkPlan(change, after, "vendor_rate_plan_id", "vendor", customers[0].text(0)));
  TG_PASS(checkNextTrunk(change, after));
  return checkSources(change, after);
}

// REQUIREMENTS 2.8.
Outcome<void> checkDelete(Change& change, const Json& before) {
  const auto id = integerOf(before, "id");
  TG_PASS(conflictIfDialpeer(change, "trunk_id = ?", {id}, "", "2.8", "uses it"));
  TG_PASS_ASSIGN(rules, change.session.query("SELECT rule_id FROM routing_targets WHERE trunk_id = ? UNION "
                                             "SELECT id FROM routing_rules WHERE trunk_scope_id = ? LIMIT 1",
                                             {id, id}));
  if (!rules.empty()) {
    return conflict("", "2.8", "routing rule " + std::to_string(rules[0].integer(0)) + " uses it");
  }
  TG_PASS_ASSIGN(trunks, change.session.query("SELECT id FROM trunks WHERE next_trunk_id = ? AND id <> ? LIMIT 1", {id, id}));
  if (!trunks.empty()) {
    return conflict("", "2.15", "it is the next trunk of trunk " + std::to_string(trunks[0].integer(0)));
  }
  for (const auto* column : {"trunk_id", "carrier_trunk_id"}) {
    TG_PASS(conflictIfAny(change, "SELECT 1 FROM cdrs WHERE " + std::string(column) + " = ?", {id}, "", "2.8",
                          "the trunk has call history; disable it instead"));
  }
  return {};
}

base::Result<std::map<std::int64_t, billing::v1::TrunkLoad>> loads(Backend& backend, const std::vector<std::int64_t>& ids) {
  billing::v1::TrunkLoadRequest request;
  for (const auto id : ids) {
    request.add_trunk_ids(id);
  }
  TG_TRY_ASSIGN(reply, backend.ask<billing::v1::Billing::TrunkLoad>(request));
  std::map<std::int64_t, billing::v1::TrunkLoad> load_of;
  for (const auto& load : reply.loads()) {
    load_of[load.trunk_id()] = load;
  }
  return load_of;
}

// A call in progress counts as one: its CDR is not written yet.
Outcome<void> askBeforeDelete(Backend& backend, std::int64_t id) {
  TG_PASS_ASSIGN(load_of, loads(backend, {id}));
  const auto found = load_of.find(id);
  if (found != load_of.end() && found->second.incoming() + found->second.outgoing() > 0) {
    return conflict("", "2.8", "the trunk has calls in progress; disable it instead");
  }
  return {};
}

base::Result<void> addNames(sql::Session& session, std::vector<Json>& page) {
  TG_TRY_ASSIGN(row_of, rowsById(session,
                                 "SELECT t.id, c.name, p.name FROM trunks t JOIN customers c ON c.id = t.customer_id "
                                 "LEFT JOIN rate_plans p ON p.id = t.rate_plan_id WHERE t.id",
                                 page));
  for (auto& trunk : page) {
    const auto row = row_of.find(integerOf(trunk, "id"));
    const bool known = row != row_of.end();
    trunk["customer_name"] = known ? Json(row->second.text(1)) : Json(nullptr);
    trunk["rate_plan_name"] = known && !row->second.isNull(2) ? Json(row->second.text(2)) : Json(nullptr);
  }
  return {};
}

// REQUIREMENTS 2.7. Live figures are null while billing does not answer; the rest of the list is still given.
base::Result<void> decorate(Backend& backend, sql::Session& session, std::vector<Json>& page) {
  if (page.empty()) {
    return {};
  }
  TG_TRY(addNames(session, page));
  std::vector<std::int64_t> ids;
  for (const auto& trunk : page) {
    ids.push_back(integerOf(trunk, "id"));
  }
  auto load_of = loads(backend, ids);
  if (!load_of) {
    telemetry::warn("trunks are listed without live calls", {{"error", std::string_view(load_of.error().message)}});
  }
  for (auto& trunk : page) {
    std::set<std::string> codecs;
    for (const auto& source : trunk["sources"]) {
      for (const auto& codec : source["codecs"]) {
        codecs.insert(codec.get<std::string>());
      }
    }
    trunk["source_count"] = trunk["sources"].size();
    trunk["codecs"] = codecs;
    const auto id = integerOf(trunk, "id");
    trunk["live_incoming"] = load_of ? Json((*load_of)[id].incoming()) : Json(nullptr);
    trunk["live_outgoing"] = load_of ? Json((*load_of)[id].outgoing()) : Json(nullptr);
  }
  return {};
}

}  // namespace

Resource trunkResource() {
  Resource resource{.name = "Trunk", .noun = "trunk", .path = "/v1/trunks", .entity = "trunk", .table = "trunks"};
  resource.fields = trunkFields();
  resource.rows = {sourceRows(), endpointRows()};
  const Json number_or_null = {{"type", {"integer", "null"}}};
  const Json text_or_null = {{"type", {"string", "null"}}};
  resource.shown = {
      {"customer_name", text_or_null},
      {"rate_plan_name", text_or_null},
      {"source_count", {{"type", "integer"}}},
      {"codecs", {{"type", "array"}, {"items", {{"type", "string"}}}, {"description", "Union over the sources. (REQUIREMENTS 2.7)"}}},
      {"live_incoming", number_or_null},
      {"live_outgoing", number_or_null}};
  resource.check = checkTrunk;
  resource.check_delete = checkDelete;
  resource.ask_before_delete = askBeforeDelete;
  resource.decorate = decorate;
  return resource;
}

}  // namespace tollgate::admin_api
