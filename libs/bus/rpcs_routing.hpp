// The request routing answers (proto/tollgate/routing/v1).
#pragma once

#include <string_view>

#include "tollgate/routing/v1/routing.pb.h"

namespace tollgate::bus {

struct Route {
  using Request = routing::v1::RouteRequest;
  using Reply = routing::v1::RouteReply;
  static constexpr std::string_view kService = "routing";
  static constexpr std::string_view kVerb = "route";
};

}  // namespace tollgate::bus
