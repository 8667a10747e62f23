// The requests billing answers (proto/tollgate/billing/v1).
#pragma once

#include <string_view>

#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::bus {

struct Reserve {
  using Request = billing::v1::ReserveRequest;
  using Reply = billing::v1::ReserveReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "reserve";
};

struct Occupy {
  using Request = billing::v1::OccupyRequest;
  using Reply = billing::v1::OccupyReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "occupy";
};

struct Extend {
  using Request = billing::v1::ExtendRequest;
  using Reply = billing::v1::ExtendReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "extend";
};

struct PostPayment {
  using Request = billing::v1::PostPaymentRequest;
  using Reply = billing::v1::PostPaymentReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "post_payment";
};

struct Balance {
  using Request = billing::v1::BalanceRequest;
  using Reply = billing::v1::BalanceReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "balance";
};

struct TrunkLoads {
  using Request = billing::v1::TrunkLoadRequest;
  using Reply = billing::v1::TrunkLoadReply;
  static constexpr std::string_view kService = "billing";
  static constexpr std::string_view kVerb = "trunk_load";
};

}  // namespace tollgate::bus
