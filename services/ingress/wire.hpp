// Converts between the messages of the bus and the plain values of libs/call (STYLE 28). Owns nothing. Pure functions, any thread. The
// strings of a reply are moved out of it.
#pragma once

#include "libs/call/events.hpp"
#include "libs/call/types.hpp"
#include "tollgate/auth/v1/auth.pb.h"
#include "tollgate/billing/v1/billing.pb.h"
#include "tollgate/call/v1/call.pb.h"
#include "tollgate/common/v1/common.pb.h"
#include "tollgate/routing/v1/routing.pb.h"

namespace tollgate::ingress {

// The event that a reply causes. A reply that holds neither a result nor a refusal gives DecisionFailed.
[[nodiscard]] call::Event toEvent(auth::v1::AuthorizeReply& reply);
[[nodiscard]] call::Event toEvent(routing::v1::RouteReply& reply);
[[nodiscard]] call::Event toEvent(billing::v1::ReserveReply& reply);
[[nodiscard]] call::Event toEvent(billing::v1::OccupyReply& reply);
[[nodiscard]] call::Event toEvent(billing::v1::ExtendReply& reply);

// Fills the whole record. Fields that are not known stay unset.
void fillRecord(call::v1::CallRecord& to, const call::CallRecord& record);
void fillAttempt(call::v1::Attempt& to, const call::Attempt& attempt);

}  // namespace tollgate::ingress
