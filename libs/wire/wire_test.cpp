#include "libs/wire/wire.hpp"

#include <gtest/gtest.h>

#include "libs/wire/same_enum.hpp"
#include "libs/wire/words.hpp"

namespace tollgate::wire {
namespace {

using namespace std::chrono_literals;

TEST(Wire, EnumsAreThoseOfTheProtos) {
  expectSameEnum<base::Reason, base::kLastReason>(*common::v1::Reason_descriptor(), "REASON_");
  expectSameEnum<base::Transport, base::kLastTransport>(*common::v1::Transport_descriptor(), "TRANSPORT_");
  expectSameEnum<base::Codec, base::kLastCodec>(*common::v1::Codec_descriptor(), "CODEC_");
}

TEST(Wire, TimeKeepsItsMicroseconds) {
  for (const auto since_epoch : {0us, 1us, 1'700'000'000'123'456us, -1us, -1'500'000us}) {
    const auto wire = toWire(base::WallTime(since_epoch));
    EXPECT_GE(wire.nanos(), 0);
    EXPECT_EQ(fromWire(wire).time_since_epoch(), since_epoch);
  }
  google::protobuf::Timestamp finer;
  finer.set_nanos(1999);
  EXPECT_EQ(fromWire(finer).time_since_epoch(), 1us);
}

TEST(Wire, DurationKeepsItsSign) {
  for (const auto duration : {0us, 1us, 10'500'000us, -1us, -1'500'000us}) {
    const auto wire = toWire(duration);
    EXPECT_GE(wire.seconds() * wire.nanos(), 0);
    EXPECT_EQ(fromWire(wire), duration);
  }
}

TEST(Wire, UnknownNumbersBecomeWhatIsDocumented) {
  EXPECT_EQ(fromWire(static_cast<common::v1::Reason>(200)), base::Reason::kUnspecified);
  EXPECT_EQ(fromWire(static_cast<common::v1::Reason>(30)), base::Reason::kUnspecified);
  EXPECT_EQ(fromWire(common::v1::REASON_NO_ACK), base::Reason::kNoAck);
  EXPECT_EQ(fromWire(static_cast<common::v1::Transport>(9)), std::nullopt);
  EXPECT_EQ(fromWire(common::v1::TRANSPORT_UNSPECIFIED), base::Transport::kUdp);
  EXPECT_EQ(fromWire(common::v1::TRANSPORT_TLS), base::Transport::kTls);
  google::protobuf::RepeatedField<int> codecs;
  for (const int codec : {0, 2, 9, -1}) {
    codecs.Add(codec);
  }
  EXPECT_EQ(fromWire(codecs), base::CodecSet{base::Codec::kPcma});
}

TEST(Wire, CodecsGoThereAndBack) {
  google::protobuf::RepeatedField<int> codecs;
  addCodecs(base::CodecSet::all(), codecs);
  EXPECT_EQ(codecs.size(), 3);
  EXPECT_EQ(fromWire(codecs), base::CodecSet::all());
}

TEST(Wire, RateGoesThereAndBack) {
  const money::Rate rate{base::RatePlanId(1), base::RateId(2), "374", money::Currency::parse("EUR").value(), 60'000, 10'000, 30, 6};
  EXPECT_EQ(fromWire(toWire(rate)), rate);
  EXPECT_EQ(fromWire(toWire(money::Rate{})), money::Rate{});
}

TEST(Wire, TraceAndRefusalKeepTheirTexts) {
  const std::vector<base::TraceStep> trace = {{"auth", "source_row", "192.0.2.1", true}, {"billing", "credit", "none left", false}};
  TraceField wire;
  addTrace(trace, wire);
  const auto back = takeTrace(wire);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[1].stage, "billing");
  EXPECT_EQ(back[1].check, "credit");
  EXPECT_EQ(back[1].found, "none left");
  EXPECT_FALSE(back[1].passed);
  EXPECT_TRUE(back[0].passed);
  const auto refusal = toWire(base::Refusal{base::Reason::kNoCredit, "0.01 short"});
  EXPECT_EQ(refusal.reason(), common::v1::REASON_NO_CREDIT);
  EXPECT_EQ(refusal.detail(), "0.01 short");
}

TEST(Words, AreTheNamesOfValues) {
  EXPECT_EQ(wordOf(common::v1::TRANSPORT_UDP), "udp");
  EXPECT_EQ(wordOf(common::v1::REASON_NO_CREDIT), "no_credit");
  EXPECT_EQ(wordOf(common::v1::TRANSPORT_UNSPECIFIED), "");
  EXPECT_EQ(wordOf(static_cast<common::v1::Transport>(99)), "");
}

}  // namespace
}  // namespace tollgate::wire
