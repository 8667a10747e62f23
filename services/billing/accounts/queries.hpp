// Balance and TrunkLoads: what is in Redis now. Run on bus threads, answer from the Redis thread, block nothing.
#pragma once

#include "libs/bus/rpc.hpp"
#include "services/billing/admission/admission.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Queries {
 public:
  explicit Queries(AdmissionParts parts) : parts_(std::move(parts)) {}
  void balance(const v1::BalanceRequest& request, bus::Responder<v1::BalanceReply> responder);
  void trunkLoads(const v1::TrunkLoadRequest& request, bus::Responder<v1::TrunkLoadReply> responder);

 private:
  // Passed in.
  const AdmissionParts parts_;
};

}  // namespace tollgate::billing
