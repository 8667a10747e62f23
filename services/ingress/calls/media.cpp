#include "services/ingress/calls/media.hpp"

#include <utility>

namespace tollgate::ingress {

PreparedOffer prepareOffer(const sofia::Body& offer, base::CodecSet allowed, const sdp::Origin& origin) {
  if (offer.text.empty()) {
    return {};
  }
  if (offer.type != sofia::kSdpType) {
    return {base::Reason::kNoCommonCodec, {}};  // a body of another type holds no offer that we could pass on
  }
  auto filtered = sdp::filterAudio(offer.text, allowed.isEmpty() ? base::CodecSet::all() : allowed, origin);
  if (!filtered) {
    return {base::Reason::kMalformed, {}};
  }
  if (filtered->no_common_codec) {
    return {base::Reason::kNoCommonCodec, {}};
  }
  return {base::Reason::kUnspecified, std::move(filtered->text)};
}

std::optional<base::CodecSet> commonCodecs(base::CodecSet row, base::CodecSet trunk) {
  if (row.isEmpty() || trunk.isEmpty()) {
    return row.isEmpty() ? trunk : row;
  }
  const auto common = row & trunk;
  return common.isEmpty() ? std::nullopt : std::optional(common);
}

bool allowsAllOf(base::CodecSet trunk, base::CodecSet row) {
  return trunk.isEmpty() || (!row.isEmpty() && (row & trunk) == row);
}

base::Result<sofia::Body> prepareAnswer(const sofia::Body& answer, const sdp::Origin& origin) {
  if (answer.text.empty() || answer.type != sofia::kSdpType) {
    return sofia::Body{};
  }
  TG_TRY_ASSIGN(text, sdp::hideOrigin(answer.text, origin));
  return sofia::Body{std::string(sofia::kSdpType), std::move(text)};
}

}  // namespace tollgate::ingress
