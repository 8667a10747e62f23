// Extend: heartbeat and extension of a live call's hold (REQUIREMENTS 9.2, 9.5). Runs on bus threads, answers from the Redis thread, blocks
// nothing.
#pragma once

#include <functional>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "services/billing/admission/admission.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

class Extension {
 public:
  Extension(AdmissionParts parts, bus::Connection& events) : parts_(std::move(parts)), events_(events) {}
  void extend(const bus::RpcContext& context, const v1::ExtendRequest& request, bus::Responder<v1::ExtendReply> responder);

 private:
  void onExtended(const std::string& call, const v1::ExtendRequest& request, const ExtendOutcome& outcome,
                  bus::Responder<v1::ExtendReply>& responder);
  void publishExhausted(const std::string& call, base::CustomerId customer, std::uint32_t paid_seconds);

  // Passed in.
  const AdmissionParts parts_;
  bus::Connection& events_;
};

}  // namespace tollgate::billing
