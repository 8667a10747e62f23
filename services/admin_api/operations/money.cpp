// Movements and balance of a customer (REQUIREMENTS 1.8). Money changes through billing's RPC only; the ledger is read from MySQL.
#include "services/admin_api/operations/operations.hpp"
#include "services/admin_api/resources/store.hpp"
#include "tollgate/billing/v1/billing.rpc.h"

namespace tollgate::admin_api {
namespace {

constexpr std::size_t kKeyCharactersMax = 64;

const std::vector<Field>& paymentFields() {
  static const std::vector<Field> kFields = {
      {.name = "kind", .rule = "1.8", .fallback = "payment", .choices = {"payment", "adjustment", "refund"}},
      {.name = "amount",
       .kind = Kind::kMoney,
       .rule = "1.8",
       .help = "Above 0; an adjustment may be below 0; a refund lowers the balance.",
       .required = true,
       .low = -base::limits::kMoneyMicrosMax,
       .high = base::limits::kMoneyMicrosMax},
      {.name = "reference", .rule = "1.8", .required = true, .low = 1, .high = 128},
      {.name = "note", .rule = "1.8", .fallback = "", .high = 255},
  };
  return kFields;
}

billing::v1::MovementKind kindOf(const std::string& word) {
  if (word == "adjustment") {
    return billing::v1::MOVEMENT_KIND_ADJUSTMENT;
  }
  return word == "refund" ? billing::v1::MOVEMENT_KIND_REFUND : billing::v1::MOVEMENT_KIND_PAYMENT;
}

Outcome<Json> readPayment(const Json& body) {
  Resource shape{.name = "Payment", .noun = "payment", .path = ""};
  shape.fields = paymentFields();
  TG_PASS_ASSIGN(payment, readInput(shape, body, Completeness::kFull));
  const auto amount = micros(payment["amount"]);
  if (amount == 0 || (amount < 0 && textOf(payment, "kind") != "adjustment")) {
    return invalid("amount", "1.8", amount == 0 ? "must not be 0" : "must be above 0; only an adjustment may be below");
  }
  return payment;
}

Outcome<std::string> idempotencyKey(const Call& call) {
  auto key = call.header("idempotency-key");
  const bool plain = key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:") == std::string::npos;
  if (key.empty()) {
    return refuse(400, "the header Idempotency-Key is required: the same key twice is one movement", "Idempotency-Key", "1.8");
  }
  if (key.size() > kKeyCharactersMax || !plain) {
    return refuse(400, "must be 1 to 64 letters, digits or -_.:", "Idempotency-Key", "1.8");
  }
  return key;
}

Outcome<std::string> currencyOf(Backend& backend, std::int64_t customer) {
  TG_STORE(rows, backend.pool.use<sql::Rows>(
                     [&](sql::Session& session) { return session.query("SELECT currency FROM customers WHERE id = ?", {customer}); }));
  if (rows.empty()) {
    return notFound("there is no customer " + std::to_string(customer));
  }
  return rows[0].text(0);
}

// A key belongs to one movement for ever. With another movement it is a mistake of the caller, not a repeat.
Outcome<void> checkSameMovement(Backend& backend, const std::string& transfer, std::int64_t customer, const Json& payment) {
  TG_STORE(rows, backend.pool.use<sql::Rows>([&](sql::Session& session) {
    return session.query("SELECT amount_micros, kind FROM ledger_entries WHERE transfer_id = ? AND account = ?",
                         {transfer, "customer:" + std::to_string(customer)});
  }));
  if (rows.empty()) {
    return {};
  }
  const auto amount = micros(payment["amount"]) * (textOf(payment, "kind") == "refund" ? -1 : 1);
  if (rows[0].integer(0) != amount || rows[0].text(1) != textOf(payment, "kind")) {
    return conflict("Idempotency-Key", "1.8",
                    "the key was used for another movement: " + rows[0].text(1) + " of " + moneyText(rows[0].integer(0)));
  }
  return {};
}

Outcome<http::Response> postPayment(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(customer, call.id("id"));
  TG_PASS_ASSIGN(key, idempotencyKey(call));
  TG_PASS_ASSIGN(payment, readPayment(call.body));
  TG_PASS_ASSIGN(currency, currencyOf(backend, customer));
  billing::v1::PostPaymentRequest request;
  request.set_customer_id(customer);
  request.set_idempotency_key(key);
  request.set_kind(kindOf(textOf(payment, "kind")));
  request.mutable_amount()->set_micros(micros(payment["amount"]));
  request.mutable_amount()->set_currency(currency);
  request.set_reference(textOf(payment, "reference"));
  request.set_author(call.author);
  request.set_note(textOf(payment, "note"));
  TG_STORE(reply, backend.ask<billing::v1::Billing::PostPayment>(request));
  if (reply.has_refusal()) {
    return conflict("amount", "1.8", reply.refusal().detail());
  }
  if (reply.existed()) {
    TG_PASS(checkSameMovement(backend, reply.transfer_id(), customer, payment));
  }
  payment["transfer_id"] = reply.transfer_id();
  payment["customer_id"] = customer;
  payment["currency"] = currency;
  payment["author"] = call.author;
  payment["existed"] = reply.existed();
  payment["balance"] = moneyText(reply.balance().micros());
  return jsonResponse(reply.existed() ? 200 : 201, payment);
}

Outcome<http::Response> readBalance(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(customer, call.id("id"));
  TG_PASS_ASSIGN(currency, currencyOf(backend, customer));
  billing::v1::BalanceRequest request;
  request.set_customer_id(customer);
  TG_STORE(reply, backend.ask<billing::v1::Billing::Balance>(request));
  const auto unlessUnlimited = [&reply](std::int64_t amount) { return reply.unlimited() ? Json(nullptr) : Json(moneyText(amount)); };
  return jsonResponse(200, {{"customer_id", customer},
                            {"currency", currency},
                            {"balance", moneyText(reply.posted().micros())},
                            {"held", moneyText(reply.held_micros())},
                            {"floor", unlessUnlimited(reply.floor_micros())},
                            {"unlimited", reply.unlimited()},
                            {"available", unlessUnlimited(reply.available_micros())},
                            {"live_holds", reply.live_holds()}});
}

Json entryOf(const sql::Row& row) {
  const auto at = sql::toTime(row.value(8));
  return {{"id", row.integer(0)},     {"transfer_id", row.text(1)}, {"amount", moneyText(row.integer(2))},
          {"currency", row.text(3)},  {"kind", row.text(4)},        {"call_id", row.isNull(5) ? Json(nullptr) : Json(row.text(5))},
          {"reference", row.text(6)}, {"author", row.text(7)},      {"at", at ? Json(base::formatRfc3339(*at)) : Json(nullptr)},
          {"note", row.text(9)}};
}

Outcome<http::Response> listLedger(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(customer, call.id("id"));
  TG_PASS_ASSIGN(limit, call.queryInteger("limit", kPageRowsDefault, 1, static_cast<std::int64_t>(base::limits::kPageRowsMax)));
  TG_PASS_ASSIGN(currency, currencyOf(backend, customer));
  TG_PASS_ASSIGN(content, decodeCursor(call.query("cursor")));
  auto before = Json::parse(content.empty() ? "null" : content, nullptr, false);
  if (!before.is_null() && !before.is_number_integer()) {
    return refuse(400, "does not belong to this list", "cursor", "11.1");
  }
  std::string query =
      "SELECT id, transfer_id, amount_micros, currency, kind, call_id, reference, author, at, note FROM ledger_entries WHERE account = ?";
  std::vector<sql::Value> parameters = {"customer:" + std::to_string(customer)};
  if (before.is_number_integer()) {
    query += " AND id < ?";
    parameters.emplace_back(before.get<std::int64_t>());
  }
  query += " ORDER BY id DESC LIMIT " + std::to_string(limit + 1);
  TG_STORE(rows, backend.pool.use<sql::Rows>([&](sql::Session& session) { return session.query(query, parameters); }));
  std::vector<Json> entries;
  for (const auto& row : rows) {
    entries.push_back(entryOf(row));
  }
  const bool more = entries.size() > static_cast<std::size_t>(limit);
  entries.resize(std::min(entries.size(), static_cast<std::size_t>(limit)));
  return pageResponse(entries, more ? encodeCursor(entries.back()["id"].dump()) : "");
}

}  // namespace

std::vector<Operation> moneyOperations(Backend& backend) {
  Operation paying{.method = "POST",
                   .pattern = "/v1/customers/{id}/payments",
                   .id = "postPayment",
                   .tag = "customer",
                   .summary = "post a payment, adjustment or refund; 200 when the key had been used for it before"};
  paying.request_schema = "Payment";
  paying.response_schema = "Payment";
  paying.success = 201;
  paying.also_created = true;
  paying.headers = {"Idempotency-Key"};
  paying.answer = [&backend](const Call& call) { return postPayment(backend, call); };
  Operation balance{.method = "GET",
                    .pattern = "/v1/customers/{id}/balance",
                    .id = "readBalance",
                    .tag = "customer",
                    .summary = "read posted balance, holds of live calls and what is available"};
  balance.response_schema = "Balance";
  balance.answer = [&backend](const Call& call) { return readBalance(backend, call); };
  Operation ledger{.method = "GET",
                   .pattern = "/v1/customers/{id}/ledger",
                   .id = "listLedger",
                   .tag = "customer",
                   .summary = "list the ledger entries of a customer, newest first"};
  ledger.query = {limitParameter(), cursorParameter()};
  ledger.response_schema = "LedgerEntry";
  ledger.is_page = true;
  ledger.answer = [&backend](const Call& call) { return listLedger(backend, call); };
  return {paying, balance, ledger};
}

Json moneySchemas() {
  const Json text = {{"type", "string"}};
  const Json number = {{"type", "integer"}};
  const Json text_or_null = {{"type", {"string", "null"}}};
  Json payment = {
      {"type", "object"}, {"additionalProperties", false}, {"required", {"amount", "reference"}}, {"properties", Json::object()}};
  for (const auto& field : paymentFields()) {
    payment["properties"][field.name] = fieldSchema(field);
  }
  for (const auto* name : {"transfer_id", "currency", "author", "balance"}) {
    payment["properties"][name] = {{"type", "string"}, {"readOnly", true}};
  }
  payment["properties"]["customer_id"] = {{"type", "integer"}, {"readOnly", true}};
  payment["properties"]["existed"] = {{"type", "boolean"}, {"readOnly", true}};
  return {{"Payment", payment},
          {"Balance",
           {{"type", "object"},
            {"properties",
             {{"customer_id", number},
              {"currency", text},
              {"balance", text},
              {"held", text},
              {"floor", text_or_null},
              {"unlimited", {{"type", "boolean"}}},
              {"available", text_or_null},
              {"live_holds", number}}}}},
          {"LedgerEntry",
           {{"type", "object"},
            {"properties",
             {{"id", number},
              {"transfer_id", text},
              {"amount", text},
              {"currency", text},
              {"kind", text},
              {"call_id", text_or_null},
              {"reference", text},
              {"author", text},
              {"at", text},
              {"note", text}}}}}};
}

}  // namespace tollgate::admin_api
