// The requests auth answers (proto/tollgate/auth/v1).
#pragma once

#include <string_view>

#include "tollgate/auth/v1/auth.pb.h"

namespace tollgate::bus {

struct Authorize {
  using Request = auth::v1::AuthorizeRequest;
  using Reply = auth::v1::AuthorizeReply;
  static constexpr std::string_view kService = "auth";
  static constexpr std::string_view kVerb = "authorize";
};

struct ListNetworks {
  using Request = auth::v1::ListNetworksRequest;
  using Reply = auth::v1::ListNetworksReply;
  static constexpr std::string_view kService = "auth";
  static constexpr std::string_view kVerb = "list_networks";
};

}  // namespace tollgate::bus
