// Balance and TrunkLoads: the state that Redis has at the moment.
// Threads: run on bus threads and do not block; the replies are sent from the Redis thread. Owns nothing.
#pragma once

#include "libs/bus/rpc.hpp"
#include "services/billing/admission/dependencies.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Queries {
 public:
  explicit Queries(HandlerDependencies deps) : deps_(std::move(deps)) {}
  void balance(const v1::BalanceRequest& request, bus::Responder<v1::BalanceReply> responder);
  void trunkLoads(const v1::TrunkLoadRequest& request, bus::Responder<v1::TrunkLoadReply> responder);

 private:
  // Passed in.
  const HandlerDependencies deps_;
};

}  // namespace tollgate::billing
