// Movements and balance of a customer (REQUIREMENTS 1.8). Money changes through billing's RPC only; the ledger is read from MySQL.
#include "libs/telemetry/log.hpp"
#include "services/admin_api/operations/listing.hpp"
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
  const Resource shape{.name = "Payment", .noun = "payment", .path = "", .fields = paymentFields()};
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
  TG_PASS_ASSIGN(rows, backend.pool.use<sql::Rows>([&](sql::Session& session) {
    return session.query("SELECT currency FROM customers WHERE id = ?", {customer});
  }));
  if (rows.empty()) {
    return notFound("there is no customer " + std::to_string(customer));
  }
  return rows[0].text(0);
}

// A broken rule comes as "<field>: <rule>". With every other error the movement may have been posted, or may still be.
Refused refusedPayment(const base::Error& error) {
  const bool is_rule = error.code == base::ErrorCode::kInvalid || error.code == base::ErrorCode::kConflict;
  const auto colon = error.message.find(": ");
  if (is_rule && colon != std::string::npos) {
    const auto field = error.message.substr(0, colon);
    return {error.code == base::ErrorCode::kInvalid ? 422 : 409,
            statusTitle(error.code == base::ErrorCode::kInvalid ? 422 : 409),
            error.message.substr(colon + 2),
            field == "idempotency_key" ? "Idempotency-Key" : field,
            "1.8",
            {}};
  }
  if (error.code == base::ErrorCode::kNotFound) {
    return asRefused(error);
  }
  telemetry::warn("the outcome of a payment is not known", {{"error", std::string_view(error.message)}});
  return {504,
          statusTitle(504),
          "the outcome is not known: the movement may have been posted; repeat with the same key, and it is posted at most once",
          "Idempotency-Key",
          "1.8",
          {{"Retry-After", "2"}}};
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
  const auto reply = backend.ask<billing::v1::Billing::PostPayment>(request);
  if (!reply) {
    return tl::unexpected(refusedPayment(reply.error()));
  }
  if (reply->not_posted()) {
    return tl::unexpected(Refused{503, statusTitle(503), "the ledger is unavailable; nothing was posted", "", "", {{"Retry-After", "2"}}});
  }
  payment["transfer_id"] = reply->transfer_id();
  payment["customer_id"] = customer;
  payment["currency"] = currency;
  payment["author"] = call.author;
  payment["existed"] = reply->existed();
  payment["balance"] = moneyText(reply->balance().micros());
  return jsonResponse(reply->existed() ? 200 : 201, payment);
}

Outcome<http::Response> readBalance(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(customer, call.id("id"));
  TG_PASS_ASSIGN(currency, currencyOf(backend, customer));
  billing::v1::BalanceRequest request;
  request.set_customer_id(customer);
  TG_PASS_ASSIGN(reply, backend.ask<billing::v1::Billing::Balance>(request));
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

const std::vector<Field>& entryFields() {
  static const std::vector<Field> kFields = {{.name = "id", .kind = Kind::kInteger},
                                             {.name = "transfer_id"},
                                             {.name = "amount", .column = "amount_micros", .kind = Kind::kMoney},
                                             {.name = "currency"},
                                             {.name = "kind"},
                                             {.name = "call_id", .nullable = true},
                                             {.name = "reference"},
                                             {.name = "author"},
                                             {.name = "at", .kind = Kind::kTime, .help = "When it happened."},
                                             {.name = "posted_at", .kind = Kind::kTime, .help = "When the entry was written."},
                                             {.name = "note"}};
  return kFields;
}

Outcome<http::Response> listLedger(Backend& backend, const Call& call) {
  TG_PASS_ASSIGN(customer, call.id("id"));
  TG_PASS(currencyOf(backend, customer));
  return listRows(backend, call, {entryFields(), "ledger_entries", "id"}, {{"account = ?", {"customer:" + std::to_string(customer)}}});
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
  Json payment = inputSchema(paymentFields());
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
          {"LedgerEntry", shownSchema(entryFields())}};
}

}  // namespace tollgate::admin_api
