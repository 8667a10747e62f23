// Between the messages of tollgate.routing.v1 and routing's own types. Any thread.
#pragma once

#include "services/routing/route.hpp"
#include "tollgate/routing/v1/routing.pb.h"

namespace tollgate::routing {

// The views point into the request.
[[nodiscard]] RouteQuery toQuery(const routing::v1::RouteRequest& request);
// While the snapshot that gave the decision is held.
[[nodiscard]] routing::v1::RouteReply toReply(const RouteDecision& decision);

}  // namespace tollgate::routing
