// Between the messages of tollgate.auth.v1 and auth's own types. Any thread.
#pragma once

#include "services/auth/authorize.hpp"
#include "services/auth/networks.hpp"
#include "tollgate/auth/v1/auth.pb.h"

namespace tollgate::auth {

// The views point into the request.
[[nodiscard]] Question toQuestion(const auth::v1::AuthorizeRequest& request);
[[nodiscard]] auth::v1::AuthorizeReply toReply(const Question& question, const Answer& answer);
[[nodiscard]] auth::v1::ListNetworksReply toReply(const NetworkList& list, std::uint64_t known_version);

}  // namespace tollgate::auth
