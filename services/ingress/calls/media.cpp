#include "services/ingress/calls/media.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tollgate::ingress {
namespace {

sdp::CodecSet toSet(const std::vector<call::Codec>& codecs) {
  if (codecs.empty()) {
    return sdp::CodecSet::all();
  }
  sdp::CodecSet set;
  for (const auto codec : codecs) {
    switch (codec) {
      case call::Codec::kPcmu:
        set.add(sdp::Codec::kPcmu);
        break;
      case call::Codec::kPcma:
        set.add(sdp::Codec::kPcma);
        break;
      case call::Codec::kG729:
        set.add(sdp::Codec::kG729);
        break;
    }
  }
  return set;
}

}  // namespace

PreparedOffer prepareOffer(const sofia::Body& offer, const std::vector<call::Codec>& allowed, const sdp::Origin& origin) {
  if (offer.text.empty()) {
    return {};
  }
  if (offer.type != sofia::kSdpType) {
    return {base::Reason::kNoCommonCodec, {}};  // a body of another kind offers nothing we could pass on
  }
  auto filtered = sdp::filterAudio(offer.text, toSet(allowed), origin);
  if (!filtered) {
    return {base::Reason::kMalformed, {}};
  }
  if (filtered->no_common_codec) {
    return {base::Reason::kNoCommonCodec, {}};
  }
  return {base::Reason::kUnspecified, std::move(filtered->text)};
}

std::optional<std::vector<call::Codec>> commonCodecs(const std::vector<call::Codec>& row, const std::vector<call::Codec>& trunk) {
  if (row.empty() || trunk.empty()) {
    return row.empty() ? trunk : row;
  }
  std::vector<call::Codec> common;
  std::copy_if(row.begin(), row.end(), std::back_inserter(common),
               [&](call::Codec codec) { return std::find(trunk.begin(), trunk.end(), codec) != trunk.end(); });
  return common.empty() ? std::nullopt : std::optional(std::move(common));
}

bool allowsAllOf(const std::vector<call::Codec>& trunk, const std::vector<call::Codec>& row) {
  return trunk.empty() || (!row.empty() && std::all_of(row.begin(), row.end(), [&](call::Codec codec) {
           return std::find(trunk.begin(), trunk.end(), codec) != trunk.end();
         }));
}

base::Result<sofia::Body> prepareAnswer(const sofia::Body& answer, const sdp::Origin& origin) {
  if (answer.text.empty() || answer.type != sofia::kSdpType) {
    return sofia::Body{};
  }
  TG_TRY_ASSIGN(text, sdp::hideOrigin(answer.text, origin));
  return sofia::Body{std::string(sofia::kSdpType), std::move(text)};
}

}  // namespace tollgate::ingress
