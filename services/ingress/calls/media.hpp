// SDP between the two sides of a call: codecs of the source row and of the carrier trunk (REQUIREMENTS 6.4), origin hidden
// (REQUIREMENTS 6.1). Owns nothing. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>

#include "libs/base/codec.hpp"
#include "libs/base/reason.hpp"
#include "libs/sdp/sdp.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::ingress {

struct PreparedOffer {
  base::Reason refused = base::Reason::kUnspecified;  // no_common_codec or malformed
  std::string text;                                   // empty without an offer
};

// The offer as the other side gets it. An empty `allowed` stands for all three codecs. RFC 3264 5.
[[nodiscard]] PreparedOffer prepareOffer(const sofia::Body& offer, base::CodecSet allowed, const sdp::Origin& origin);

// The codecs in both sets; an empty set stands for all. Nothing when they share none.
[[nodiscard]] std::optional<base::CodecSet> commonCodecs(base::CodecSet row, base::CodecSet trunk);

// Whether the trunk allows all codecs that the source row allows. An offer filtered for the row then needs no second filter. An empty set
// stands for all.
[[nodiscard]] bool allowsAllOf(base::CodecSet trunk, base::CodecSet row);

// An answer, or early media: origin hidden, codecs as the other side chose them. A body of another type is left out.
// Errors: kInvalid, kOverLimit for what is not SDP.
[[nodiscard]] base::Result<sofia::Body> prepareAnswer(const sofia::Body& answer, const sdp::Origin& origin);

}  // namespace tollgate::ingress
