#include "libs/sdp/sdp.hpp"

#include <random>

#include <gtest/gtest.h>

#include "libs/base/limits.hpp"

namespace tollgate::sdp {
namespace {

using base::Codec;
using base::CodecSet;

const Origin kOurs{.session_id = 77, .address = "198.51.100.1"};
const CodecSet kPcmuPcma{Codec::kPcmu, Codec::kPcma};

std::string session(const std::string& media) {
  return "v=0\r\no=alice 2890844526 5 IN IP4 10.1.1.1\r\ns=Secret PBX\r\ni=info\r\nu=http://pbx.example\r\ne=a@pbx.example\r\np=+44\r\n"
         "c=IN IP4 10.1.1.1\r\nt=0 0\r\na=tool:pbx 1.2\r\na=sendrecv\r\n" +
         media;
}

std::string shown(const std::string& media) {
  return "v=0\r\no=- 77 5 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 10.1.1.1\r\nt=0 0\r\na=sendrecv\r\n" + media;
}

struct Row {
  const char* name;
  CodecSet allowed;
  std::string media;
  std::string expected;  // "" = no common codec
};

// REQUIREMENTS 6.4: the offer is filtered to the allowed codecs in its own order; telephone-event stays; none left: 488.
TEST(FilterAudio, FollowsTheTable) {
  const std::vector<Row> rows = {
      {"all allowed, order kept", CodecSet::all(), "m=audio 4000 RTP/AVP 18 8 0\r\n", "m=audio 4000 RTP/AVP 18 8 0\r\n"},
      {"one removed with its lines", kPcmuPcma,
       "m=audio 4000 RTP/AVP 18 8 101\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:8 PCMA/8000\r\n"
       "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n",
       "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"},
      {"dynamic payload types by their rtpmap", kPcmuPcma,
       "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:97 pcmu/8000\r\na=rtpmap:96 opus/48000/2\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:* nack\r\n",
       "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 pcmu/8000\r\na=rtcp-fb:* nack\r\n"},
      {"an rtpmap wins over the static meaning", kPcmuPcma, "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 GSM/8000\r\n", ""},
      {"comfort noise and events alone are no codec", kPcmuPcma, "m=audio 4000 RTP/AVP 18 13 101\r\na=rtpmap:101 telephone-event/8000\r\n",
       ""},
      {"comfort noise stays beside a codec", kPcmuPcma, "m=audio 4000 RTP/AVP 0 13 3\r\n", "m=audio 4000 RTP/AVP 0 13\r\n"},
      {"nothing allowed", {}, "m=audio 4000 RTP/AVP 0\r\n", ""},
      {"no audio", kPcmuPcma, "m=image 4000 udptl t38\r\n", ""},
      {"rejected audio does not count", kPcmuPcma, "m=audio 0 RTP/AVP 0\r\n", ""},
      {"video passes", kPcmuPcma, "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
       "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"},
      {"a second audio line without a codec is rejected", kPcmuPcma,
       "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVP 18\r\na=rtpmap:18 G729/8000\r\n",
       "m=audio 4000 RTP/AVP 0\r\nm=audio 0 RTP/SAVP 18\r\n"},
      {"the first audio line decides", kPcmuPcma, "m=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/AVP 0\r\n", ""},
      {"own connection line stays", kPcmuPcma, "m=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 10.9.9.9\r\n",
       "m=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 10.9.9.9\r\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto filtered = filterAudio(session(row.media), row.allowed, kOurs);
    ASSERT_TRUE(filtered) << filtered.error().message;
    EXPECT_EQ(filtered->no_common_codec, row.expected.empty());
    EXPECT_EQ(filtered->text, row.expected.empty() ? "" : shown(row.expected));
  }
}

// REQUIREMENTS 6.1: nothing shows the other side.
TEST(HideOrigin, ReplacesWhatNamesTheOtherSide) {
  const auto hidden = hideOrigin(session("m=audio 4000 RTP/AVP 18\r\n"), kOurs);
  ASSERT_TRUE(hidden);
  EXPECT_EQ(*hidden, shown("m=audio 4000 RTP/AVP 18\r\n"));
  const auto ipv6 = hideOrigin("v=0\no=x y z\ns=q\n", {.session_id = 1, .address = "2001:db8::1"});
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(*ipv6, "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\n");
}

TEST(FilterAudio, TakesAnyLineEnd) {
  for (const char* end : {"\r\n", "\n", "\r", "\n\n"}) {
    std::string text;
    for (const char* line : {"v=0", "o=- 1 1 IN IP4 1.1.1.1", "s=-", "m=audio 1 RTP/AVP 0"}) {
      text += line;
      text += end;
    }
    const auto filtered = filterAudio(text, kPcmuPcma, kOurs);
    ASSERT_TRUE(filtered);
    EXPECT_TRUE(filtered->text.ends_with("m=audio 1 RTP/AVP 0\r\n"));
  }
  EXPECT_TRUE(filterAudio("v=0\r\nm=audio 1 RTP/AVP 0", kPcmuPcma, kOurs));  // last line without an end
}

TEST(FilterAudio, RefusesWhatIsNotSdp) {
  std::string formats;
  for (int i = 0; i < 65; ++i) {
    formats += " " + std::to_string(i);
  }
  for (const std::string& text :
       {std::string(), std::string("hello"), std::string("v=1\r\n"), std::string("m=audio 1 RTP/AVP 0\r\n"), std::string("v=0\r\nxx\r\n"),
        std::string("v=0\r\n=\r\n"), std::string("v=0\r\nA=b\r\n"), std::string("v=0\r\ns=\0x\r\n", 11), std::string("v=0\r\nm=audio\r\n"),
        std::string("v=0\r\nm=audio x RTP/AVP 0\r\n"), std::string("v=0\r\nm=audio 1 RTP/AVP\r\n"),
        std::string("v=0\r\nm=audio 123456 RTP/AVP 0\r\n"), "v=0\r\nm=audio 1 RTP/AVP" + formats + "\r\n"}) {
    const auto filtered = filterAudio(text, kPcmuPcma, kOurs);
    ASSERT_FALSE(filtered) << text;
    EXPECT_EQ(filtered.error().code, base::ErrorCode::kInvalid) << text;
  }
}

TEST(FilterAudio, RefusesWhatIsTooLarge) {
  const std::string start = "v=0\r\nm=audio 1 RTP/AVP 0\r\n";
  const auto big = filterAudio(start + "a=" + std::string(base::limits::kSdpBytesMax, 'x') + "\r\n", kPcmuPcma, kOurs);
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().code, base::ErrorCode::kOverLimit);
  std::string many = start;
  for (std::size_t i = 0; i < base::limits::kSdpLinesMax; ++i) {
    many += "a=x\r\n";
  }
  const auto lines = filterAudio(many, kPcmuPcma, kOurs);
  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().code, base::ErrorCode::kOverLimit);
}

// The body that never ends in Sofia's parser (libs/sofia/TRAPS.md 1.2).
TEST(FilterAudio, EndsForABodyThatSofiasParserNeverFinishes) {
  const auto alone = filterAudio("v=0\r\nm=image 4000 udptl (\r\n", kPcmuPcma, kOurs);
  ASSERT_TRUE(alone);
  EXPECT_TRUE(alone->no_common_codec);
  const auto beside = filterAudio("v=0\r\nm=audio 1 RTP/AVP 0\r\nm=image 4000 udptl (\r\n", kPcmuPcma, kOurs);
  ASSERT_TRUE(beside);
  EXPECT_TRUE(beside->text.ends_with("m=image 4000 udptl (\r\n"));
}

// Whatever comes in: no crash, bounded output, and what passes once passes again unchanged.
TEST(FilterAudio, KeepsItsPromisesOverRandomMutations) {
  const std::string seed = session(
      "m=audio 4000 RTP/AVP 18 8 0 101 13\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:18 G729/8000\r\n"
      "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
  std::mt19937 random(5);
  int passed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = seed;
    for (auto edits = 1 + random() % 6; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 60));
          break;
        default:
          text.insert(at, 1, "\r\n =:/0m"[random() % 8]);
      }
      if (text.empty()) {
        text = "v";
      }
    }
    const auto filtered = filterAudio(text, kPcmuPcma, kOurs);
    if (!filtered || filtered->no_common_codec) {
      continue;
    }
    ++passed;
    EXPECT_LE(filtered->text.size(), 2 * text.size() + 100);
    const auto other = filterAudio(filtered->text, {Codec::kG729}, kOurs);
    ASSERT_TRUE(other) << filtered->text;
    EXPECT_TRUE(other->no_common_codec) << filtered->text;
    const auto again = filterAudio(filtered->text, kPcmuPcma, kOurs);
    ASSERT_TRUE(again) << filtered->text;
    EXPECT_EQ(again->text, filtered->text);
  }
  EXPECT_GT(passed, 1000);
}

}  // namespace
}  // namespace tollgate::sdp
