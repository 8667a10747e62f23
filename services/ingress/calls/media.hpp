// SDP on its way through: codecs of the source row and of the carrier trunk (REQUIREMENTS 6.4), origin hidden (REQUIREMENTS 6.1). Pure
// functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libs/base/reason.hpp"
#include "libs/call/types.hpp"
#include "libs/sdp/sdp.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::ingress {

struct PreparedOffer {
  base::Reason refused = base::Reason::kUnspecified;  // no_common_codec or malformed
  std::string text;                                   // empty without an offer
};

// The offer as a side may see it. No allowed codec named = all three.
[[nodiscard]] PreparedOffer prepareOffer(const sofia::Body& offer, const std::vector<call::Codec>& allowed, const sdp::Origin& origin);

// The codecs in both; an empty list stands for all. Nothing when they share none.
[[nodiscard]] std::optional<std::vector<call::Codec>> commonCodecs(const std::vector<call::Codec>& row,
                                                                   const std::vector<call::Codec>& trunk);

// An answer, or early media: origin hidden, codecs as the other side chose them. Error: not SDP.
[[nodiscard]] base::Result<sofia::Body> prepareAnswer(const sofia::Body& answer, const sdp::Origin& origin);

}  // namespace tollgate::ingress
