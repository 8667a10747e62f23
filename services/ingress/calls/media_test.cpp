#include "services/ingress/calls/media.hpp"

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

using base::Codec;

const std::string kOffer =
    "v=0\r\no=alice 1 1 IN IP4 10.9.8.7\r\ns=secret\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 8 0 101\r\n"
    "a=rtpmap:18 G729/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
const sdp::Origin kOurs{42, "203.0.113.9"};

// REQUIREMENTS 6.4: filtered to the row's codecs, order kept, telephone-event stays; 6.1: nothing of the caller's origin is seen.
TEST(PrepareOffer, KeepsTheRowsCodecsInTheirOrderAndHidesTheOrigin) {
  const auto offer = prepareOffer({"application/sdp", kOffer}, {Codec::kPcmu, Codec::kPcma}, kOurs);
  EXPECT_EQ(offer.refused, base::Reason::kUnspecified);
  EXPECT_NE(offer.text.find("m=audio 4000 RTP/AVP 8 0 101\r\n"), std::string::npos) << offer.text;
  EXPECT_EQ(offer.text.find("10.9.8.7"), std::string::npos);
  EXPECT_EQ(offer.text.find("alice"), std::string::npos);
  EXPECT_EQ(offer.text.find("secret"), std::string::npos);
  EXPECT_NE(offer.text.find("203.0.113.9"), std::string::npos);
}

TEST(PrepareOffer, SaysWhyAnOfferCannotBeUsed) {
  const std::string only_g729 = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n";
  EXPECT_EQ(prepareOffer({"application/sdp", only_g729}, {Codec::kPcmu}, kOurs).refused, base::Reason::kNoCommonCodec);
  EXPECT_EQ(prepareOffer({"application/sdp", "hello"}, {Codec::kPcmu}, kOurs).refused, base::Reason::kMalformed);
  EXPECT_EQ(prepareOffer({"application/sdp", std::string(20000, 'a')}, {Codec::kPcmu}, kOurs).refused, base::Reason::kMalformed);
  EXPECT_EQ(prepareOffer({"text/plain", "hello"}, {Codec::kPcmu}, kOurs).refused, base::Reason::kNoCommonCodec);
  EXPECT_EQ(prepareOffer({}, {Codec::kPcmu}, kOurs).refused, base::Reason::kUnspecified);
}

TEST(CommonCodecs, AreThoseOfBothSides) {
  using Codecs = base::CodecSet;
  EXPECT_EQ(commonCodecs({Codec::kPcmu, Codec::kPcma}, {Codec::kPcma, Codec::kG729}), Codecs{Codec::kPcma});
  EXPECT_EQ(commonCodecs({}, {Codec::kG729}), Codecs{Codec::kG729});
  EXPECT_EQ(commonCodecs({Codec::kG729}, {}), Codecs{Codec::kG729});
  EXPECT_FALSE(commonCodecs({Codec::kPcmu}, {Codec::kG729}));
}

TEST(PrepareAnswer, HidesTheCarriersOrigin) {
  const auto answer = prepareAnswer({"application/sdp", kOffer}, kOurs);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->text.find("10.9.8.7"), std::string::npos);
  EXPECT_NE(answer->text.find("RTP/AVP 18 8 0 101"), std::string::npos);
  EXPECT_FALSE(prepareAnswer({"application/sdp", "hello"}, kOurs));
  EXPECT_TRUE(prepareAnswer({}, kOurs)->text.empty());
}

TEST(Media, KnowsWhenATrunkAllowsAllOfARow) {
  EXPECT_TRUE(allowsAllOf({}, {}));
  EXPECT_TRUE(allowsAllOf({}, {Codec::kPcmu}));
  EXPECT_TRUE(allowsAllOf({Codec::kPcma, Codec::kPcmu}, {Codec::kPcmu}));
  EXPECT_FALSE(allowsAllOf({Codec::kPcma}, {Codec::kPcma, Codec::kPcmu}));
  EXPECT_FALSE(allowsAllOf({Codec::kPcma}, {}));
}

}  // namespace
}  // namespace tollgate::ingress
