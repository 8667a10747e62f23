// PostPayment (REQUIREMENTS 1.8): payments, adjustments and refunds through the ledger, once per idempotency key. The MySQL work runs on a
// pool of worker threads; the bus thread only hands over.
#pragma once

#include "libs/bus/rpc.hpp"
#include "libs/sql/sql.hpp"
#include "libs/sql/workers.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/records/settler.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Payments {
 public:
  Payments(sql::Pool& pool, Settler& settler, BillingMetrics& metrics, std::size_t threads);
  void post(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply> responder);

 private:
  void run(const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply>& responder);

  // Passed in.
  sql::Pool& pool_;
  Settler& settler_;
  BillingMetrics& metrics_;
  // Owned.
  sql::Workers workers_;
};

// The rules of a movement that need no database: kind, amount and its sign, text lengths. kInvalid names the field and the rule.
[[nodiscard]] base::Result<void> checkPayment(const v1::PostPaymentRequest& request);

}  // namespace tollgate::billing
