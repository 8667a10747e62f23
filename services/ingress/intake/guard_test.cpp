#include "services/ingress/intake/guard.hpp"

#include <gtest/gtest.h>

#include "libs/testkit/fake_clock.hpp"

namespace tollgate::ingress {
namespace {

sofia::Source from(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  sofia::Source source;
  source.address = {a, b, c, d};
  source.port = 5060;
  return source;
}

std::shared_ptr<const digits::NetworkSet> networks(std::initializer_list<const char*> texts) {
  std::vector<digits::Network> list;
  for (const auto* text : texts) {
    list.push_back(digits::Network::parse(text).value());
  }
  return std::make_shared<const digits::NetworkSet>(digits::makeNetworkSet(list));
}

class GuardTest : public ::testing::Test {
 protected:
  Verdict check(const sofia::Source& source) { return guard.check(source, clock.monotonic(), clock); }
  testkit::FakeClock clock;
  Guard guard{{.drop = false, .answers_per_second = 3, .addresses_max = 2}};
};

TEST_F(GuardTest, DecidesNothingBeforeTheFirstList) {
  EXPECT_EQ(check(from(192, 0, 2, 1)), Verdict::kNoNetworksYet);
}

// REQUIREMENTS 2.4: an address on no row is rejected.
TEST_F(GuardTest, KnowsAddressesInsideANetworkAndNotThoseJustOutside) {
  guard.setNetworks(networks({"192.0.2.0/28", "2001:db8::/64"}));
  EXPECT_EQ(check(from(192, 0, 2, 15)), Verdict::kKnown);
  EXPECT_EQ(check(from(192, 0, 2, 16)), Verdict::kRefuse);
  sofia::Source v6;
  v6.is_ipv6 = true;
  v6.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  EXPECT_EQ(check(v6), Verdict::kKnown);
  v6.address[7] = 1;
  EXPECT_EQ(check(v6), Verdict::kRefuse);
}

// REQUIREMENTS 2.4: a change applies to the next INVITE.
TEST_F(GuardTest, UsesANewListImmediately) {
  guard.setNetworks(networks({"192.0.2.0/28"}));
  EXPECT_EQ(check(from(198, 51, 100, 1)), Verdict::kRefuse);
  guard.setNetworks(networks({"198.51.100.1"}));
  EXPECT_EQ(check(from(198, 51, 100, 1)), Verdict::kKnown);
  EXPECT_EQ(check(from(192, 0, 2, 1)), Verdict::kRefuse);
}

TEST_F(GuardTest, StopsAnsweringWhenTooManyUnknownSourcesAskInOneSecond) {
  guard.setNetworks(networks({}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(check(from(203, 0, 113, 1)), Verdict::kRefuse);
  }
  EXPECT_EQ(check(from(203, 0, 113, 1)), Verdict::kDrop);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(check(from(203, 0, 113, 1)), Verdict::kRefuse);
}

TEST_F(GuardTest, DropsAllUnknownSourcesWhereTheDeploymentSaysSo) {
  Guard silent({.drop = true});
  silent.setNetworks(networks({}));
  EXPECT_EQ(silent.check(from(203, 0, 113, 1), clock.monotonic(), clock), Verdict::kDrop);
}

// REQUIREMENTS 10.1: unknown sources as counted summaries, in bounded memory.
TEST_F(GuardTest, SummarisesUnknownSourcesWithinItsBound) {
  guard.setNetworks(networks({}));
  const auto first = clock.wall();
  (void)check(from(203, 0, 113, 1));
  clock.advance(std::chrono::seconds(2));
  (void)check(from(203, 0, 113, 1));
  (void)check(from(203, 0, 113, 2));
  (void)check(from(203, 0, 113, 3));
  (void)check(from(203, 0, 113, 4));
  const auto summary = guard.takeSummary();
  ASSERT_EQ(summary.size(), 3U);
  std::uint64_t total = 0;
  for (const auto& unknown_source : summary) {
    total += unknown_source.messages;
    if (unknown_source.address == "203.0.113.1") {
      EXPECT_EQ(unknown_source.messages, 2U);
      EXPECT_EQ(unknown_source.first_at, first);
      EXPECT_EQ(unknown_source.last_at, first + std::chrono::seconds(2));
    }
    if (unknown_source.address == "*") {
      EXPECT_EQ(unknown_source.messages, 2U);
    }
  }
  EXPECT_EQ(total, 5U);
  EXPECT_TRUE(guard.takeSummary().empty());
}

}  // namespace
}  // namespace tollgate::ingress
