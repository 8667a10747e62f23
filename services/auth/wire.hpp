// Converts between the messages of tollgate.auth.v1 and auth's own types. Any thread.
#pragma once

#include "services/auth/authorize.hpp"
#include "services/auth/networks.hpp"
#include "tollgate/auth/v1/auth.pb.h"

namespace tollgate::auth {

// Requires: the request outlives the query, which points into it.
[[nodiscard]] AuthorizeQuery toQuery(const auth::v1::AuthorizeRequest& request);
[[nodiscard]] auth::v1::AuthorizeReply toReply(const AuthorizeQuery& query, const AuthorizeDecision& decision);
// The reply with the whole list. Make it once for each list, because it may be long.
[[nodiscard]] auth::v1::ListNetworksReply toReply(const NetworkList& list);
// The reply to an asker that has this version already.
[[nodiscard]] auth::v1::ListNetworksReply unchangedReply(std::uint64_t version);

}  // namespace tollgate::auth
