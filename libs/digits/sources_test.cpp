#include "libs/digits/sources.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "libs/base/random.hpp"
#include "libs/digits/digits.hpp"

namespace tollgate::digits {
namespace {

AuthorisedSource source(std::int64_t trunk, std::string_view network, std::string_view prefix) {
  AuthorisedSource row;
  row.trunk = base::TrunkId(trunk);
  row.row = base::SourceRowId(trunk * 10);
  row.identification = prefix == "peer" ? Identification::kPeer : Identification::kPrefix;
  row.tech_prefix = prefix == "peer" ? "" : std::string(prefix);
  row.network = Network::parse(network).value();
  return row;
}

AuthorisedSource onPort(AuthorisedSource row, std::uint16_t port) {
  row.port = port;
  row.match_port = true;
  return row;
}

bool conflict(const AuthorisedSource& existing, const AuthorisedSource& candidate) {
  return findSourceConflict(std::span(&existing, 1), std::span(&candidate, 1)).has_value();
}

// REQUIREMENTS 2.6: equal prefixes, and prefixes of which one starts the other (5 and 55), on overlapping sources.
TEST(SourceConflict, FoundForPrefixesThatCannotBeToldApart) {
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.1", "55")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "5"), source(2, "10.0.0.1", "55")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.1", "5")));
  EXPECT_FALSE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.1", "56")));
  EXPECT_FALSE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.2", "55")));
}

// REQUIREMENTS 2.6: a host in a network and a network in a network, in either order.
TEST(SourceConflict, FoundForNestedNetworksInEitherOrder) {
  EXPECT_TRUE(conflict(source(1, "10.0.0.0/8", "55"), source(2, "10.0.0.1", "55")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.0/8", "55")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.0/8", "55"), source(2, "10.2.0.0/16", "55")));
  EXPECT_FALSE(conflict(source(1, "10.1.0.0/16", "55"), source(2, "10.2.0.0/16", "55")));
  EXPECT_TRUE(conflict(source(1, "2001:db8::/32", "55"), source(2, "2001:db8::1", "55")));
}

// REQUIREMENTS 2.6: the sources of a peer trunk may not overlap those of any other trunk.
TEST(SourceConflict, FoundForAPeerThatOverlapsAnyTrunk) {
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "peer"), source(2, "10.0.0.1", "55")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "55"), source(2, "10.0.0.0/24", "peer")));
  EXPECT_TRUE(conflict(source(1, "10.0.0.1", "peer"), source(2, "10.0.0.1", "peer")));
  EXPECT_FALSE(conflict(source(1, "10.0.0.1", "peer"), source(2, "10.0.0.2", "peer")));
}

// REQUIREMENTS 2.6: equal ports or either not matching port.
TEST(SourceConflict, TellsPortsApartOnlyWhenBothMatchThem) {
  const AuthorisedSource one = source(1, "10.0.0.1", "peer");
  const AuthorisedSource two = source(2, "10.0.0.1", "peer");
  EXPECT_FALSE(conflict(onPort(one, 5060), onPort(two, 5080)));
  EXPECT_TRUE(conflict(onPort(one, 5080), onPort(two, 5080)));
  EXPECT_TRUE(conflict(onPort(one, 5080), two));
  EXPECT_TRUE(conflict(one, onPort(two, 5080)));
}

TEST(SourceConflict, PassesOverTheTrunkItselfAndRegistrationTrunks) {
  EXPECT_FALSE(conflict(source(1, "10.0.0.1", "55"), source(1, "10.0.0.1", "55")));
  AuthorisedSource registration = source(1, "10.0.0.1", "");
  registration.identification = Identification::kRegistration;
  EXPECT_FALSE(conflict(registration, source(2, "10.0.0.1", "peer")));
  EXPECT_FALSE(conflict(source(2, "10.0.0.1", "peer"), registration));
}

// REQUIREMENTS 2.6: naming the other trunk and row.
TEST(SourceConflict, NamesTheOtherTrunkAndRow) {
  const std::vector<AuthorisedSource> existing = {source(7, "10.9.0.0/16", "55"), source(8, "10.0.0.0/8", "5")};
  const std::vector<AuthorisedSource> candidate = {source(9, "192.0.2.1", "55"), onPort(source(9, "10.0.0.1", "55"), 5080)};
  const auto found = findSourceConflict(existing, candidate);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->existing.trunk, base::TrunkId(8));
  EXPECT_EQ(found->existing.row, base::SourceRowId(80));
  EXPECT_EQ(found->explanation,
            "source 10.0.0.1/32 port 5080 overlaps source row 80 (10.0.0.0/8) of trunk 8, and one of the tech prefixes 55 and 5 starts the "
            "other");
}

TEST(SourceConflict, AgreesWithTheNaiveComparisonOnRandomTrunks) {
  base::SeededRandom random(2606);
  const auto randomSource = [&random](std::int64_t trunk) {
    static constexpr const char* kPrefixes[] = {"1", "12", "123", "2", "21", "3", "peer"};
    const auto address = IpAddress::fromV4(0x0a000000U | static_cast<std::uint32_t>(random.next() % 1024));
    AuthorisedSource row = source(trunk, Network::around(address, 24 + static_cast<int>(random.next() % 9)).text(),
                                  kPrefixes[random.next() % std::size(kPrefixes)]);
    row.port = static_cast<std::uint16_t>(5060 + random.next() % 3);
    row.match_port = random.next() % 2 == 0;
    return row;
  };
  int conflicts = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<AuthorisedSource> existing;
    for (std::int64_t trunk = 1; trunk <= 6; ++trunk) {
      existing.push_back(randomSource(trunk));
    }
    const std::vector<AuthorisedSource> candidate = {randomSource(99), randomSource(99), randomSource(99)};
    bool expected = false;
    for (const auto& left : existing) {
      for (const auto& right : candidate) {
        const bool networks = left.network.contains(right.network) || right.network.contains(left.network);
        const bool ports = left.port == right.port || !left.match_port || !right.match_port;
        const bool peer = left.identification == Identification::kPeer || right.identification == Identification::kPeer;
        expected = expected || (networks && ports && (peer || eitherStartsOther(left.tech_prefix, right.tech_prefix)));
      }
    }
    ASSERT_EQ(findSourceConflict(existing, candidate).has_value(), expected) << "round " << round;
    conflicts += expected ? 1 : 0;
  }
  EXPECT_GT(conflicts, 200);
  EXPECT_LT(conflicts, 1800);
}

}  // namespace
}  // namespace tollgate::digits
