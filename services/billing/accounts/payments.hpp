// PostPayment (REQUIREMENTS 1.8): payments, adjustments and refunds in the ledger, once per idempotency key. A movement is committed only
// before the caller's deadline. When the connection to MySQL is lost during the COMMIT, the ledger is read again by the movement's id; if
// that fails until the deadline, the reply is an error that says the outcome is not known.
// Threads: post() runs on bus threads and does not block; the MySQL work runs on worker threads. Owns: the workers and their queue.
#pragma once

#include "libs/base/worker_pool.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/settler.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Payments {
 public:
  Payments(sql::Pool& pool, Settler& settler, BillingMetrics& metrics, std::size_t threads);
  void post(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply> responder);

 private:
  void run(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply>& responder);

  // Passed in.
  sql::Pool& pool_;
  Settler& settler_;
  BillingMetrics& metrics_;
  // Owned.
  base::WorkerPool workers_;
};

// The rules of a payment that need no database: kind, amount with its sign, lengths of texts.
// Errors: kInvalid, the message names the field and the rule.
[[nodiscard]] base::Result<void> checkPayment(const v1::PostPaymentRequest& request);

}  // namespace tollgate::billing
