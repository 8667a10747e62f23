#include "services/auth/tables.hpp"

#include <gtest/gtest.h>

#include "libs/base/random.hpp"
#include "services/auth/authorize.hpp"
#include "services/auth/wire.hpp"

namespace tollgate::auth {
namespace {

digits::Network net(std::string_view text) {
  return digits::Network::parse(text).value();
}

Trunk randomTrunk(std::int64_t id, base::Random& random) {
  static constexpr const char* kPrefixes[] = {"1", "12", "2", "23", "3", "456"};
  Trunk trunk;
  trunk.id = base::TrunkId(id);
  trunk.customer = base::CustomerId(1);
  trunk.tech_prefix = kPrefixes[random.next() % std::size(kPrefixes)];
  trunk.enabled = random.next() % 4 != 0;
  for (std::uint64_t row = random.next() % 3; row-- > 0;) {
    const auto address = digits::IpAddress::fromV4(0x0a000000U | static_cast<std::uint32_t>(random.next() % 64));
    const auto network = digits::Network::around(address, 28 + static_cast<int>(random.next() % 5));
    trunk.sources.push_back({base::SourceRowId(id * 10 + static_cast<std::int64_t>(row)), network, 5060, random.next() % 2 == 0, {}});
  }
  return trunk;
}

// REQUIREMENTS 3.8: changes one after another give the same snapshot as a full load.
TEST(AuthTables, IncrementsLeadToTheSameSnapshotAsAFreshLoad) {
  base::SeededRandom random(42);
  Tables tables(1'000'000);
  tables.setCustomer(base::CustomerId(1), {"One", false});
  std::map<std::int64_t, Trunk> rows;
  for (std::uint64_t round = 1; round <= 150; ++round) {
    for (int change = 0; change < 5; ++change) {
      const auto id = static_cast<std::int64_t>(random.next() % 30 + 1);
      if (random.next() % 3 == 0) {
        rows.erase(id);
        tables.removeTrunk(base::TrunkId(id));
      } else {
        rows[id] = randomTrunk(id, random);
        tables.setTrunk(rows[id]);
      }
    }
    tables.publish(round);
    Tables fresh(1'000'000);
    fresh.setCustomer(base::CustomerId(1), {"One", false});
    for (const auto& [id, trunk] : rows) {
      fresh.setTrunk(trunk);
    }
    fresh.publish(round);
    ASSERT_EQ(tables.current()->networks->version, fresh.current()->networks->version);
    for (std::uint32_t host = 0; host < 64; ++host) {
      const std::string address = digits::IpAddress::fromV4(0x0a000000U | host).text();
      const std::string called = std::to_string(random.next() % 1000);
      const AuthorizeQuery query{address, static_cast<std::uint16_t>(5060 + random.next() % 2), called, "", {}};
      const AuthorizeDecision left = authorize(*tables.current(), query);
      const AuthorizeDecision right = authorize(*fresh.current(), query);
      ASSERT_EQ(left.trunk, right.trunk) << address << " " << called;
      ASSERT_EQ(left.source_row, right.source_row);
      ASSERT_EQ(left.refusal.has_value(), right.refusal.has_value());
    }
  }
}

// REQUIREMENTS 2.4: a change does not affect calls in progress: a snapshot in use stays as it was.
TEST(AuthTables, ASnapshotInUseDoesNotChange) {
  Tables tables(1'000'000);
  EXPECT_EQ(tables.current(), nullptr);
  tables.setCustomer(base::CustomerId(1), {"One", false});
  Trunk trunk;
  trunk.id = base::TrunkId(1);
  trunk.customer = base::CustomerId(1);
  trunk.tech_prefix = "55";
  trunk.enabled = true;
  trunk.sources.push_back({base::SourceRowId(1), net("10.0.0.1"), 5060, false, {}});
  tables.setTrunk(trunk);
  tables.publish(1);
  const auto before = tables.current();
  tables.removeTrunk(base::TrunkId(1));
  tables.setCustomer(base::CustomerId(1), {"One", true});
  tables.publish(2);
  const AuthorizeQuery query{"10.0.0.1", 5060, "5537410", "", {}};
  EXPECT_FALSE(authorize(*before, query).refusal);
  EXPECT_TRUE(authorize(*tables.current(), query).refusal);
  EXPECT_TRUE(tables.current()->networks->networks.empty());
}

TEST(NetworkList, HasTheSameVersionForTheSameContentOnly) {
  const auto one = makeNetworkList({net("10.0.0.0/9"), net("10.128.0.0/9")}, 1000);
  const auto same = makeNetworkList({net("10.0.0.0/8"), net("10.1.1.1")}, 1000);
  const auto other = makeNetworkList({net("10.0.0.0/9")}, 1000);
  EXPECT_EQ(one.version, same.version);
  EXPECT_NE(one.version, other.version);
  EXPECT_NE(makeNetworkList({}, 1000).version, 0U);
  const auto reply = toReply(one);
  EXPECT_EQ(reply.version(), one.version);
  EXPECT_FALSE(reply.unchanged());
  ASSERT_EQ(reply.networks_size(), 1);
  EXPECT_EQ(reply.networks(0).cidr(), "10.0.0.0/8");
}

TEST(NetworkList, WidensUntilItFitsAndNeverShutsOutAKnownAddress) {
  base::SeededRandom random(9);
  std::vector<digits::Network> networks;
  for (int at = 0; at < 5000; ++at) {
    networks.push_back(digits::Network::host(digits::IpAddress::fromV4(static_cast<std::uint32_t>(random.next()))));
    std::array<std::uint8_t, 16> bytes{0x20, 0x01};
    for (std::size_t byte = 2; byte < bytes.size(); ++byte) {
      bytes[byte] = static_cast<std::uint8_t>(random.next());
    }
    networks.push_back(digits::Network::host(digits::IpAddress::fromV6(bytes)));
  }
  const auto whole = makeNetworkList(networks, 10'000'000);
  EXPECT_FALSE(whole.widened);
  EXPECT_EQ(whole.networks.size(), networks.size());
  for (const std::size_t bytes_max : {300'000U, 100'000U, 10'000U}) {
    const auto list = makeNetworkList(networks, bytes_max);
    EXPECT_TRUE(list.widened);
    EXPECT_LE(toReply(list).ByteSizeLong(), bytes_max);
    const auto set = digits::makeNetworkSet(list.networks);
    for (const auto& network : networks) {
      ASSERT_TRUE(set.matches(network.address())) << network.text();
    }
  }
}

}  // namespace
}  // namespace tollgate::auth
