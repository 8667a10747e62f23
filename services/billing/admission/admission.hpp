// Reserve and Occupy: may the call start, and which carrier has a free slot (REQUIREMENTS 9.1, 5.1)? Handlers run on bus threads and block
// nothing; the answer is sent from the Redis thread. A request whose caller has stopped waiting gives everything back.
#pragma once

#include <functional>
#include <memory>

#include "libs/bus/rpc.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/admission/hunt.hpp"
#include "services/billing/config/snapshot.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/settings.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

struct AdmissionParts {
  const SnapshotHolder& snapshots;
  CreditStore& store;
  BillingMetrics& metrics;
  const Settings& settings;
  std::function<void(base::CustomerId)> on_missing;  // account absent in Redis: rebuild it
};

class Admission {
 public:
  explicit Admission(AdmissionParts parts) : parts_(std::move(parts)) {}
  void reserve(const bus::RpcContext& context, const v1::ReserveRequest& request, bus::Responder<v1::ReserveReply> responder);
  void occupy(const bus::RpcContext& context, const v1::OccupyRequest& request, bus::Responder<v1::OccupyReply> responder);

 private:
  // Passed in.
  const AdmissionParts parts_;
};

}  // namespace tollgate::billing
