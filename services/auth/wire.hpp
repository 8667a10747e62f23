// Between the messages of tollgate.auth.v1 and auth's own types. Any thread.
#pragma once

#include "services/auth/authorize.hpp"
#include "services/auth/networks.hpp"
#include "tollgate/auth/v1/auth.pb.h"

namespace tollgate::auth {

// The views point into the request.
[[nodiscard]] AuthorizeQuery toQuery(const auth::v1::AuthorizeRequest& request);
[[nodiscard]] auth::v1::AuthorizeReply toReply(const AuthorizeQuery& query, const AuthorizeDecision& decision);
// The whole list; made once a list, as it may be long.
[[nodiscard]] auth::v1::ListNetworksReply toReply(const NetworkList& list);
// Nothing changed since that version.
[[nodiscard]] auth::v1::ListNetworksReply unchangedReply(std::uint64_t version);

}  // namespace tollgate::auth
