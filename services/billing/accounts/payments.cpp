#include "services/billing/accounts/payments.hpp"

#include <algorithm>
#include <memory>

#include "libs/base/clock.hpp"
#include "libs/base/limits.hpp"
#include "libs/telemetry/log.hpp"
#include "libs/wire/words.hpp"
#include "services/billing/accounts/ledger.hpp"

namespace tollgate::billing {

namespace {

constexpr std::size_t kQueueMax = 1000;
constexpr std::size_t kKeyMax = 128;
constexpr std::size_t kReferenceMax = 128;
constexpr std::size_t kAuthorMax = 128;
constexpr std::size_t kNoteMax = 255;

struct Posted {
  std::string transfer_id;
  bool existed = false;
  AccountSum sum;
};

// The change of the customer's balance. The amount of a refund is positive and lowers the balance.
std::int64_t signedAmount(const v1::PostPaymentRequest& request) {
  return request.kind() == v1::MOVEMENT_KIND_REFUND ? -request.amount().micros() : request.amount().micros();
}

Transfer toTransfer(const v1::PostPaymentRequest& request, money::Currency currency) {
  Transfer transfer;
  transfer.customer = base::CustomerId(request.customer_id());
  transfer.id = "pay:" + std::to_string(request.customer_id()) + ":" + request.idempotency_key();
  transfer.counterpart = "cash";
  transfer.amount_micros = signedAmount(request);
  transfer.currency = currency;
  transfer.kind = wire::wordOf(request.kind());
  transfer.reference = request.reference();
  transfer.author = request.author();
  transfer.note = request.note();
  transfer.at = base::SystemClock().wall();
  return transfer;
}

// Errors: kConflict, the key was used for a different movement.
base::Result<void> checkSame(const sql::Row& stored, const Transfer& transfer) {
  const bool same = stored.integer(0) == transfer.amount_micros && stored.text(1) == transfer.currency.text() &&
                    stored.text(2) == transfer.kind && stored.text(3) == sql::fit(transfer.reference, kReferenceMax);
  if (!same) {
    return base::fail(base::ErrorCode::kConflict, "idempotency_key: was already used for a different movement");
  }
  return {};
}

base::Result<Posted> postInside(sql::Session& session, const v1::PostPaymentRequest& request) {
  const base::CustomerId customer(request.customer_id());
  TG_TRY_ASSIGN(customers, session.query("SELECT currency FROM customers WHERE id = ?", {customer.value()}));
  if (customers.empty()) {
    return base::fail(base::ErrorCode::kNotFound, "customer_id: no customer " + std::to_string(customer.value()));
  }
  const std::string& currency_text = customers.front().text(0);
  if (request.amount().currency() != currency_text) {
    return base::fail(base::ErrorCode::kInvalid, "currency: must be the customer's, " + currency_text);
  }
  TG_TRY_ASSIGN(currency, money::Currency::parse(currency_text));
  const Transfer transfer = toTransfer(request, currency);
  Posted posted;
  posted.transfer_id = transfer.id;
  TG_TRY_ASSIGN(stored,
                session.query("SELECT amount_micros, currency, kind, reference FROM ledger_entries WHERE transfer_id = ? AND line = 1",
                              {transfer.id}));
  if (!stored.empty()) {
    TG_TRY(checkSame(stored.front(), transfer));
    posted.existed = true;
  } else {
    TG_TRY(post(session, {transfer}));
  }
  TG_TRY_ASSIGN(sums, readSums(session, {customer}));
  posted.sum = sums[customer];
  const std::int64_t balance = posted.sum.balance_micros;
  if (!posted.existed && (balance > base::limits::kMoneyMicrosMax || balance < -base::limits::kMoneyMicrosMax)) {
    return base::fail(base::ErrorCode::kInvalid, "amount: the balance must stay between -1000000000.000000 and 1000000000.000000");
  }
  return posted;
}

base::Result<Posted> postOnce(sql::Pool& pool, const v1::PostPaymentRequest& request) {
  const auto attempt = [&] { return pool.transaction<Posted>([&](sql::Session& session) { return postInside(session, request); }); };
  auto posted = attempt();
  if (!posted && posted.error().code == base::ErrorCode::kConflict) {
    // Either the stored movement differs, or the same key was committed between our SELECT and our INSERT; the second try tells.
    posted = attempt();
  }
  return posted;
}

}  // namespace

base::Result<void> checkPayment(const v1::PostPaymentRequest& request) {
  const auto invalid = [](const char* rule) { return base::fail(base::ErrorCode::kInvalid, rule); };
  if (wire::wordOf(request.kind()).empty()) {
    return invalid("kind: must be payment, adjustment or refund");
  }
  const std::int64_t micros = request.amount().micros();
  if (micros == 0) {
    return invalid("amount: must not be 0");
  }
  if (micros < 0 && request.kind() != v1::MOVEMENT_KIND_ADJUSTMENT) {
    return invalid("amount: must be above 0 for a payment or refund");
  }
  if (micros > base::limits::kMoneyMicrosMax || micros < -base::limits::kMoneyMicrosMax) {
    return invalid("amount: must not exceed 1000000000.000000");
  }
  // No blanks, because the database ignores blanks at the end when it compares texts.
  const std::string& key = request.idempotency_key();
  if (key.empty() || key.size() > kKeyMax ||
      !std::all_of(key.begin(), key.end(), [](char letter) { return letter > ' ' && letter <= '~'; })) {
    return invalid("idempotency_key: must be 1 to 128 visible ASCII characters without blanks");
  }
  if (request.reference().size() > kReferenceMax) {
    return invalid("reference: must be at most 128 characters");
  }
  if (request.author().empty() || request.author().size() > kAuthorMax) {
    return invalid("author: must be 1 to 128 characters");
  }
  if (request.note().size() > kNoteMax) {
    return invalid("note: must be at most 255 characters");
  }
  return {};
}

Payments::Payments(sql::Pool& pool, Settler& settler, BillingMetrics& metrics, std::size_t threads)
    : pool_(pool), settler_(settler), metrics_(metrics), workers_("payments", threads, kQueueMax) {}

void Payments::post(const bus::RpcContext&, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply> responder) {
  if (const auto checked = checkPayment(request); !checked) {
    metrics_.payments_refused.add();
    responder.fail(checked.error());
    return;
  }
  // Shared with the queued task: std::function needs captures that can be copied.
  auto shared = std::make_shared<bus::Responder<v1::PostPaymentReply>>(std::move(responder));
  const auto queued = workers_.submit([this, request, shared] { run(request, *shared); });
  if (!queued) {
    shared->fail(queued.error());
  }
}

void Payments::run(const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply>& responder) {
  const auto posted = postOnce(pool_, request);
  if (!posted) {
    metrics_.payments_refused.add();
    telemetry::warn("payment not posted", {{"customer", request.customer_id()}, {"error", posted.error().message}});
    responder.fail(posted.error());
    return;
  }
  (posted->existed ? metrics_.payments_repeated : metrics_.payments_posted).add();
  const base::CustomerId customer(request.customer_id());
  SettleOrder order{customer, posted->sum.balance_micros, posted->sum.version, {}};
  v1::PostPaymentReply reply;
  reply.set_transfer_id(posted->transfer_id);
  reply.set_existed(posted->existed);
  reply.mutable_balance()->set_micros(posted->sum.balance_micros);
  reply.mutable_balance()->set_currency(request.amount().currency());
  // The reply waits for Redis, so that the next call sees the money. While Redis is not reachable the ledger has the movement, the reply is
  // sent without Redis, and the settler repeats the settlement.
  settler_.settleFirst(std::move(order), [shared = std::make_shared<bus::Responder<v1::PostPaymentReply>>(std::move(responder)), reply] {
    shared->reply(reply);
  });
}

}  // namespace tollgate::billing
