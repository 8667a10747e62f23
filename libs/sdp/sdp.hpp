// The two operations on SDP that a B2BUA needs: filter the codecs of the audio line (REQUIREMENTS 6.4) and hide the other side's origin
// (REQUIREMENTS 6.1). They use a bounded line scanner of our own, because Sofia's parser must never see network input (libs/sofia/TRAPS.md
// 1.2). Pure functions that own nothing; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/codec.hpp"
#include "libs/base/result.hpp"

namespace tollgate::sdp {

// What we show instead of the other side. One per dialog, so that o= stays the same in it.
struct Origin {
  std::uint64_t session_id = 1;
  std::string address = "127.0.0.1";  // IP literal of ours
};

struct Filtered {
  bool no_common_codec = false;  // -> 488; text is empty then
  std::string text;
};

// Keeps, on each audio line with a port, the formats whose codec is allowed, in their order; telephone-event and comfort noise stay
// beside them but do not count. rtpmap, fmtp and rtcp-fb lines of what was removed go too. A later audio line left without a codec gets
// port 0; the first one decides no_common_codec. SDP without an audio line (T.38, say) has no common codec. o= and s= are replaced, i= u=
// e= p= and a=tool of the session dropped; c= stays, because media flows directly. Lines of other media stay as they are.
// Errors: kInvalid for what is not SDP (RFC 4566); kOverLimit beyond limits::kSdpBytesMax or kSdpLinesMax.
[[nodiscard]] base::Result<Filtered> filterAudio(std::string_view text, base::CodecSet allowed, const Origin& origin);

// Hides the origin and leaves the media as they are, for answers. Errors: as filterAudio().
[[nodiscard]] base::Result<std::string> hideOrigin(std::string_view text, const Origin& origin);

}  // namespace tollgate::sdp
