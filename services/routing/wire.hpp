// Converts between the messages of tollgate.routing.v1 and routing's own types. Any thread.
#pragma once

#include "services/routing/route.hpp"
#include "tollgate/routing/v1/routing.pb.h"

namespace tollgate::routing {

// Requires: the request outlives the query, which points into it.
[[nodiscard]] RouteQuery toQuery(const routing::v1::RouteRequest& request);
// Requires: the snapshot that gave the decision still exists, because the decision points into it.
[[nodiscard]] routing::v1::RouteReply toReply(const RouteDecision& decision);

}  // namespace tollgate::routing
