#include "services/billing/accounts/payments.hpp"

#include <algorithm>
#include <memory>
#include <optional>

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
  transfer.counterpart = request.kind() == v1::MOVEMENT_KIND_ADJUSTMENT ? "adjustment" : "cash";  // an adjustment moves no cash
  transfer.amount_micros = signedAmount(request);
  transfer.currency = currency;
  transfer.kind = wire::wordOf(request.kind());
  transfer.reference = request.reference();
  transfer.author = request.author();
  transfer.note = request.note();
  transfer.at = base::SystemClock().wall();
  return transfer;
}

// Posts one movement, and knows afterwards whether it is in the ledger.
class Posting {
 public:
  Posting(sql::Pool& pool, const bus::RpcContext& context, const v1::PostPaymentRequest& request)
      : pool_(pool), context_(context), request_(request), customer_(request.customer_id()) {}

  // Errors: kInvalid, kConflict or kNotFound with "<field>: <rule>", and kUnavailable: nothing was posted. kTimeout: not known.
  [[nodiscard]] base::Result<Posted> run() {
    constexpr int kTries = 5;
    base::Error error{base::ErrorCode::kUnavailable, "the deadline of the request was over before it was read"};
    for (int tried = 0; tried < kTries && !context_.isLate(); ++tried) {
      refused_.reset();
      at_commit_ = false;
      auto posted = pool_.transaction<Posted>([this](sql::Session& session) { return postInside(session); });
      if (posted) {
        return posted;
      }
      if (refused_) {
        return tl::unexpected(*refused_);
      }
      error = posted.error();
      maybe_posted_ = maybe_posted_ || at_commit_;
      // Repeated: a lost COMMIT, because the next try finds the movement if it was stored, and a conflict, because then another thread
      // has committed the same key between the SELECT and the INSERT.
      if (!maybe_posted_ && error.code != base::ErrorCode::kConflict) {
        break;
      }
    }
    if (maybe_posted_) {
      return base::fail(base::ErrorCode::kTimeout, "it is not known whether the movement was posted: " + error.message);
    }
    return base::fail(base::ErrorCode::kUnavailable, error.message);
  }

 private:
  // A broken rule rolls the transaction back.
  [[nodiscard]] tl::unexpected<base::Error> refuse(base::ErrorCode code, std::string rule) {
    refused_ = base::Error{code, std::move(rule)};
    return tl::unexpected(*refused_);
  }

  [[nodiscard]] base::Result<Posted> postInside(sql::Session& session) {
    TG_TRY_ASSIGN(customers, session.query("SELECT currency FROM customers WHERE id = ?", {customer_.value()}));
    if (customers.empty()) {
      return refuse(base::ErrorCode::kNotFound, "customer_id: no customer " + std::to_string(customer_.value()));
    }
    const std::string& currency_text = customers.front().text(0);
    if (request_.amount().currency() != currency_text) {
      return refuse(base::ErrorCode::kInvalid, "currency: must be the customer's, " + currency_text);
    }
    TG_TRY_ASSIGN(currency, money::Currency::parse(currency_text));
    const Transfer transfer = toTransfer(request_, currency);
    TG_TRY_ASSIGN(stored,
                  session.query("SELECT amount_micros, currency, kind, reference FROM ledger_entries WHERE transfer_id = ? AND line = 1",
                                {transfer.id}));
    if (!stored.empty() && !isSame(stored.front(), transfer)) {
      return refuse(base::ErrorCode::kConflict, "idempotency_key: was already used for a different movement");
    }
    Posted posted{.transfer_id = transfer.id, .existed = !stored.empty(), .sum = {}};
    if (!posted.existed) {
      TG_TRY(billing::post(session, {transfer}));
    }
    TG_TRY_ASSIGN(sums, readSums(session, {customer_}));
    posted.sum = sums[customer_];
    if (!posted.existed && !isWithinLimit(posted.sum.balance_micros)) {
      const std::string limit = money::formatDecimal(base::limits::kMoneyMicrosMax);
      return refuse(base::ErrorCode::kInvalid, "amount: the balance must stay between -" + limit + " and " + limit);
    }
    if (context_.isLate()) {
      return base::fail(base::ErrorCode::kTimeout, "the deadline of the request is over, the movement is rolled back");
    }
    at_commit_ = !posted.existed;
    return posted;
  }

  [[nodiscard]] static bool isWithinLimit(std::int64_t micros) {
    return micros <= base::limits::kMoneyMicrosMax && micros >= -base::limits::kMoneyMicrosMax;
  }

  [[nodiscard]] static bool isSame(const sql::Row& stored, const Transfer& transfer) {
    return stored.integer(0) == transfer.amount_micros && stored.text(1) == transfer.currency.text() && stored.text(2) == transfer.kind &&
           stored.text(3) == sql::fit(transfer.reference, kReferenceMax);
  }

  // Passed in.
  sql::Pool& pool_;
  const bus::RpcContext& context_;
  const v1::PostPaymentRequest& request_;
  // Derived.
  const base::CustomerId customer_;
  std::optional<base::Error> refused_;
  bool at_commit_ = false;  // the last run of the transaction has reached its COMMIT
  bool maybe_posted_ = false;
};

bool isRule(base::ErrorCode code) {
  return code == base::ErrorCode::kInvalid || code == base::ErrorCode::kConflict || code == base::ErrorCode::kNotFound;
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
    return base::fail(base::ErrorCode::kInvalid, "amount: must not exceed " + money::formatDecimal(base::limits::kMoneyMicrosMax));
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

void Payments::post(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply> responder) {
  if (const auto checked = checkPayment(request); !checked) {
    metrics_.payments_refused.add();
    responder.fail(checked.error());
    return;
  }
  // Shared with the queued task: std::function needs captures that can be copied.
  auto shared = std::make_shared<bus::Responder<v1::PostPaymentReply>>(std::move(responder));
  const auto queued = workers_.submit([this, context, request, shared] { run(context, request, *shared); });
  if (!queued) {
    v1::PostPaymentReply reply;
    reply.set_not_posted(true);
    shared->reply(reply);
  }
}

void Payments::run(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply>& responder) {
  const auto posted = Posting(pool_, context, request).run();
  if (!posted) {
    const base::Error& error = posted.error();
    (isRule(error.code) ? metrics_.payments_refused : metrics_.payments_failed).add();
    telemetry::warn("payment not posted", {{"customer", request.customer_id()}, {"error", error.message}});
    if (error.code == base::ErrorCode::kUnavailable) {
      v1::PostPaymentReply reply;
      reply.set_not_posted(true);
      responder.reply(reply);
      return;
    }
    responder.fail(error);
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
