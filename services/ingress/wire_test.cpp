#include "services/ingress/wire.hpp"

#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"
#include "libs/wire/same_enum.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::ingress {
namespace {

TEST(IngressWire, EnumsAreThoseOfTheProtos) {
  wire::expectSameEnum<call::EndedBy, call::kLastEndedBy>(*call::v1::EndedBy_descriptor(), "ENDED_BY_");
  wire::expectSameEnum<call::Phase, call::kLastPhase>(*control::v1::CallPhase_descriptor(), "CALL_PHASE_", {"OVER"});
}

using std::chrono::seconds;

TEST(Convert, MakesAnAuthorizedOfAnIdentifiedReply) {
  auth::v1::AuthorizeReply reply;
  reply.mutable_identified()->set_customer_id(1);
  reply.mutable_identified()->set_trunk_id(10);
  reply.mutable_identified()->set_called("447700900123");
  reply.mutable_identified()->add_codecs(common::v1::CODEC_PCMA);
  reply.mutable_identified()->add_codecs(common::v1::CODEC_UNSPECIFIED);
  reply.add_trace()->set_check("source_row");
  const auto event = toEvent(reply);
  const auto* authorized = std::get_if<call::Authorized>(&event);
  ASSERT_NE(authorized, nullptr);
  EXPECT_EQ(authorized->identified.trunk, base::TrunkId(10));
  EXPECT_EQ(authorized->identified.codecs, base::CodecSet{base::Codec::kPcma});
  EXPECT_EQ(authorized->trace.at(0).check, "source_row");
}

TEST(Convert, MakesARefusalThatKeepsWhatAuthKnew) {
  auth::v1::AuthorizeReply reply;
  reply.mutable_identified()->set_trunk_id(10);
  reply.mutable_refusal()->set_reason(common::v1::REASON_TRUNK_DISABLED);
  const auto event = toEvent(reply);
  const auto* refused = std::get_if<call::Refused>(&event);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->reason, base::Reason::kTrunkDisabled);
  ASSERT_TRUE(refused->identified);
  EXPECT_EQ(refused->identified->trunk, base::TrunkId(10));
}

TEST(Convert, TakesAnEmptyReplyForNoDecision) {
  auth::v1::AuthorizeReply authorize;
  routing::v1::RouteReply route;
  billing::v1::ReserveReply reserve;
  billing::v1::ReserveReply nothing_occupied;
  nothing_occupied.mutable_reserved()->set_paid_seconds(60);
  billing::v1::OccupyReply occupy;
  for (const auto& event : {toEvent(authorize), toEvent(route), toEvent(reserve), toEvent(nothing_occupied), toEvent(occupy)}) {
    EXPECT_TRUE(std::holds_alternative<call::DecisionFailed>(event));
  }
}

TEST(Convert, LeavesOutEndpointsThatCannotBeReachedYet) {
  routing::v1::RouteReply reply;
  auto& candidate = *reply.mutable_routed()->add_candidates();
  candidate.mutable_try_timeout()->set_seconds(2);
  candidate.mutable_try_timeout()->set_nanos(500'000'000);
  const auto add = [&](const char* address, std::uint32_t port, common::v1::Transport transport) {
    auto& endpoint = *candidate.add_endpoints();
    endpoint.set_address(address);
    endpoint.set_port(port);
    endpoint.set_transport(transport);
  };
  add("192.0.2.1", 5060, common::v1::TRANSPORT_UDP);
  add("192.0.2.2", 5061, common::v1::TRANSPORT_TLS);
  add("192.0.2.3", 70000, common::v1::TRANSPORT_UDP);
  add("192.0.2.4", 0, common::v1::TRANSPORT_UDP);
  const auto event = toEvent(reply);
  const auto& routed = std::get<call::Routed>(event);
  ASSERT_EQ(routed.candidates.size(), 1U);
  ASSERT_EQ(routed.candidates[0].endpoints.size(), 1U);
  EXPECT_EQ(routed.candidates[0].endpoints[0].address, "192.0.2.1");
  EXPECT_EQ(routed.candidates[0].try_timeout, std::chrono::milliseconds(2500));
}

TEST(Convert, MakesReservedWithSkippedCandidatesAndBothRates) {
  billing::v1::ReserveReply reply;
  auto& reserved = *reply.mutable_reserved();
  reserved.mutable_rate()->set_plan_id(3);
  reserved.mutable_rate()->set_per_minute_micros(600'000);
  reserved.set_paid_seconds(60);
  reserved.mutable_occupied()->set_index(1);
  reserved.mutable_occupied()->mutable_vendor_rate()->set_plan_id(4);
  auto& skipped = *reserved.mutable_occupied()->add_skipped();
  skipped.set_index(0);
  skipped.set_reason(common::v1::REASON_CPS_LIMIT);
  const auto event = toEvent(reply);
  const auto& made = std::get<call::Reserved>(event);
  EXPECT_EQ(made.rate.per_minute_micros, 600'000);
  EXPECT_EQ(made.occupied.index, 1U);
  EXPECT_EQ(made.occupied.vendor_rate.plan, base::RatePlanId(4));
  ASSERT_EQ(made.occupied.skipped.size(), 1U);
  EXPECT_EQ(made.occupied.skipped[0].reason, base::Reason::kCpsLimit);
}

// REQUIREMENTS 10.1: the record of an answered call holds everything its CDR needs.
TEST(FillRecord, CarriesTheWholeCall) {
  call::Driver driver;
  driver.toTalking(60);
  driver.feedAfter(std::chrono::milliseconds(10'500), call::PartyBye{call::Side::kCarrier, 1});
  call::v1::CallRecord record;
  fillRecord(record, driver.machine.record());
  EXPECT_EQ(record.ingress_sip_call_id(), "a@caller");
  EXPECT_EQ(record.egress_sip_call_id(), "b@tollgate");
  EXPECT_EQ(record.customer_id(), 1);
  EXPECT_EQ(record.trunk_id(), 10);
  EXPECT_EQ(record.carrier_trunk_id(), 20);
  EXPECT_EQ(record.carrier_customer_id(), 1020);
  EXPECT_EQ(record.called_in(), "55447700900123");
  EXPECT_EQ(record.called_rated(), "447700900123");
  EXPECT_EQ(record.rule_id(), 5);
  EXPECT_EQ(record.dialpeer_id(), 6);
  EXPECT_EQ(record.rate().per_minute_micros(), 600'000);
  EXPECT_FALSE(record.has_vendor_rate());
  EXPECT_EQ(record.talked().seconds(), 10);
  EXPECT_EQ(record.talked().nanos(), 500'000'000);
  EXPECT_EQ(record.final_code(), 200U);
  EXPECT_EQ(record.reason(), common::v1::REASON_NORMAL);
  EXPECT_EQ(record.ended_by(), call::v1::ENDED_BY_CARRIER);
  EXPECT_EQ(record.answered_at().seconds() - record.setup_at().seconds(), 1);
  EXPECT_EQ(record.pdd().nanos(), 200'000'000);
  ASSERT_EQ(record.attempts_size(), 1);
  EXPECT_EQ(record.attempts(0).ended_because(), "answered");
  EXPECT_EQ(record.attempts(0).endpoint(), "198.51.100.1:5060");
  EXPECT_EQ(record.trace(0).found(), "192.0.2.0/24");
}

TEST(FillRecord, NamesTheTrunksOfAnUndecidedReserve) {
  call::Driver driver;
  driver.toReserving({call::Driver::candidate(20, 1), call::Driver::candidate(21, 1)});
  driver.feed(call::DecisionFailed{call::Decision::kReserve, "timeout"});
  call::v1::CallRecord record;
  fillRecord(record, driver.machine.record());
  ASSERT_EQ(record.asked_trunk_ids_size(), 2);
  EXPECT_EQ(record.asked_trunk_ids(0), 20);
  EXPECT_EQ(record.asked_trunk_ids(1), 21);
}

TEST(FillRecord, LeavesUnsetWhatNeverHappened) {
  call::Driver driver;
  driver.toIdentifying();
  driver.feed(call::Driver::refused(call::Decision::kAuthorize, base::Reason::kTechPrefixMismatch));
  call::v1::CallRecord record;
  fillRecord(record, driver.machine.record());
  EXPECT_FALSE(record.has_answered_at());
  EXPECT_FALSE(record.has_ringing_at());
  EXPECT_FALSE(record.has_rate());
  EXPECT_FALSE(record.has_pdd());
  EXPECT_EQ(record.reason(), common::v1::REASON_TECH_PREFIX_MISMATCH);
  EXPECT_EQ(record.final_code(), 403U);
  EXPECT_EQ(record.q850_cause(), 21U);
}

}  // namespace
}  // namespace tollgate::ingress
