// Reserve and Occupy: may the call start, and which carrier has a free slot (REQUIREMENTS 9.1, 5.1)?
//
// Threads: the handlers run on bus threads and do not block; the reply is sent from the Redis thread. When the caller has stopped waiting
// by then, everything that was taken for the call is given back. Owns nothing; a request that is being answered owns itself.
#pragma once

#include "libs/bus/rpc.hpp"
#include "services/billing/admission/dependencies.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Admission {
 public:
  explicit Admission(HandlerDependencies deps) : deps_(std::move(deps)) {}
  void reserve(const bus::RpcContext& context, const v1::ReserveRequest& request, bus::Responder<v1::ReserveReply> responder);
  void occupy(const bus::RpcContext& context, const v1::OccupyRequest& request, bus::Responder<v1::OccupyReply> responder);

 private:
  // Passed in.
  const HandlerDependencies deps_;
};

}  // namespace tollgate::billing
