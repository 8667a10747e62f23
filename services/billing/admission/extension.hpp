// What an ingress says of a call that was admitted. Extend: the call is alive, and wants more held credit. Release: it is over, and its
// record cannot be stored yet (REQUIREMENTS 9.2, 9.5).
// Threads: runs on bus threads and does not block; the reply is sent from the Redis thread. Owns nothing.
#pragma once

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "services/billing/admission/dependencies.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Extension {
 public:
  Extension(HandlerDependencies deps, bus::Connection& events) : deps_(std::move(deps)), events_(events) {}
  void extend(const bus::RpcContext& context, const v1::ExtendRequest& request, bus::Responder<v1::ExtendReply> responder);
  void release(const bus::RpcContext& context, const v1::ReleaseRequest& request, bus::Responder<v1::ReleaseReply> responder);

 private:
  void onExtended(const std::string& call, const v1::ExtendRequest& request, std::int64_t wanted_micros, const ExtendOutcome& outcome,
                  bus::Responder<v1::ExtendReply>& responder);
  void publishExhausted(const std::string& call, base::CustomerId customer, std::uint32_t paid_seconds);

  // Passed in.
  const HandlerDependencies deps_;
  bus::Connection& events_;
};

}  // namespace tollgate::billing
