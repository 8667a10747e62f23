#include "libs/digits/ip.hpp"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "libs/base/random.hpp"
#include "libs/digits/network_map.hpp"

namespace tollgate::digits {
namespace {

Network net(std::string_view text) {
  return Network::parse(text).value();
}
IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// A small address space, so that random networks nest often.
IpAddress randomAddress(base::Random& random) {
  if (random.next() % 2 == 0) {
    return IpAddress::fromV4(0x0a000000U | static_cast<std::uint32_t>(random.next() % 4096));
  }
  std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
  bytes[14] = static_cast<std::uint8_t>(random.next() % 16);
  bytes[15] = static_cast<std::uint8_t>(random.next());
  return IpAddress::fromV6(bytes);
}

Network randomNetwork(base::Random& random) {
  const IpAddress address = randomAddress(random);
  const int longest = address.isV4() ? 32 : 128;
  return Network::around(address, longest - static_cast<int>(random.next() % 14));
}

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  for (const char* text : {"10.0.0.1", "255.255.255.255", "::1", "2001:db8::1", "fe80::1:2:3:4"}) {
    EXPECT_EQ(ip(text).text(), text);
  }
  EXPECT_EQ(ip("2001:DB8:0:0:0:0:0:1").text(), "2001:db8::1");
  EXPECT_EQ(ip("::ffff:192.0.2.7"), ip("192.0.2.7"));
  EXPECT_TRUE(ip("::ffff:192.0.2.7").isV4());
  EXPECT_FALSE(ip("::1").isV4());
  EXPECT_EQ(IpAddress::fromV4(0x0a000001), ip("10.0.0.1"));
}

TEST(IpAddress, RefusesWhatIsNoLiteral) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "010.0.0.1", "[::1]", "fe80::1%eth0", "example.com", "10.0.0.1 ", "1.2.3.4.5",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0", 9)));
}

// REQUIREMENTS 2.3: IPv4 or IPv6 host or CIDR.
TEST(Network, ReadsHostsAndNetworksIntoNormalForm) {
  EXPECT_EQ(net("10.0.0.0/8").text(), "10.0.0.0/8");
  EXPECT_EQ(net("10.0.0.1").text(), "10.0.0.1/32");
  EXPECT_TRUE(net("10.0.0.1").isHost());
  EXPECT_EQ(net("2001:db8::/32").text(), "2001:db8::/32");
  EXPECT_EQ(net("2001:DB8::1").text(), "2001:db8::1/128");
  EXPECT_EQ(net("::ffff:10.0.0.0/104").text(), "10.0.0.0/8");
  EXPECT_EQ(net("128.0.0.0/1").text(), "128.0.0.0/1");
}

// REQUIREMENTS 2.3: host bits beyond the mask refused, /0 refused; the message names the rule.
TEST(Network, RefusesHostBitsAndSlashZeroNamingTheRule) {
  const auto error = [](std::string_view text) {
    const auto network = Network::parse(text);
    return network ? "accepted " + network->text() : network.error().message;
  };
  EXPECT_EQ(error("10.0.0.1/8"), "host bits beyond the mask must be zero: write 10.0.0.0/8");
  EXPECT_EQ(error("2001:db8::1/64"), "host bits beyond the mask must be zero: write 2001:db8::/64");
  EXPECT_EQ(error("0.0.0.0/0"), "/0 would accept every address and is refused");
  EXPECT_EQ(error("::/0"), "/0 would accept every address and is refused");
  EXPECT_EQ(error("::ffff:0.0.0.0/96"), "/0 would accept every address and is refused");
  EXPECT_EQ(error("::ffff:0.0.0.0/90"), "host bits beyond the mask must be zero");
  EXPECT_EQ(error("10.0.0.0/33"), "the length after / must not be over 32");
  EXPECT_EQ(error("2001:db8::/129"), "the length after / must not be over 128");
  for (const char* text : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/ 8"}) {
    EXPECT_EQ(error(text), "the length after / must be a whole number") << text;
  }
  EXPECT_EQ(error("/8"), "must be an IPv4 or IPv6 address, or address/length");
}

TEST(Network, ContainsAndOverlapsOnlyWithinItsFamily) {
  EXPECT_TRUE(net("10.0.0.0/8").contains(ip("10.255.0.1")));
  EXPECT_FALSE(net("10.0.0.0/8").contains(ip("11.0.0.1")));
  EXPECT_TRUE(net("10.0.0.0/8").contains(ip("::ffff:10.1.1.1")));
  EXPECT_TRUE(net("10.0.0.0/8").overlaps(net("10.1.0.0/16")));
  EXPECT_TRUE(net("10.1.0.0/16").overlaps(net("10.0.0.0/8")));
  EXPECT_FALSE(net("10.1.0.0/16").contains(net("10.0.0.0/8")));
  EXPECT_FALSE(net("10.1.0.0/16").overlaps(net("10.2.0.0/16")));
  // ::/1 spans the mapped block as bits, but IPv6 sources are not IPv4 sources.
  EXPECT_FALSE(net("::/1").contains(ip("10.0.0.1")));
  EXPECT_FALSE(net("::/1").overlaps(net("10.0.0.0/8")));
}

TEST(NetworkMap, VisitsMostSpecificFirstAcrossFamilies) {
  const NetworkMap<int> map({{net("10.0.0.0/8"), 8},
                             {net("10.1.0.0/16"), 16},
                             {net("10.1.2.3"), 32},
                             {net("::/1"), 1},
                             {net("::1:0:0:0/80"), 80},
                             {net("10.1.0.0/16"), 17}});
  const auto found = [&map](std::string_view text) {
    std::vector<int> values;
    map.visit(ip(text), [&values](const Network&, int value) {
      values.push_back(value);
      return true;
    });
    return values;
  };
  EXPECT_EQ(found("10.1.2.3"), (std::vector<int>{32, 17, 16, 8}));
  EXPECT_EQ(found("10.1.2.4"), (std::vector<int>{17, 16, 8}));
  EXPECT_EQ(found("10.9.9.9"), (std::vector<int>{8}));
  EXPECT_EQ(found("11.0.0.0"), std::vector<int>{});
  EXPECT_EQ(found("::1:0:0:5"), (std::vector<int>{80, 1}));
  EXPECT_EQ(found("::5"), (std::vector<int>{1}));
  EXPECT_EQ(found("9.255.255.255"), std::vector<int>{});
}

TEST(NetworkMap, EmptyMatchesNothing) {
  EXPECT_FALSE(NetworkSet().matches(ip("10.0.0.1")));
  EXPECT_FALSE(makeNetworkSet({}).matches(ip("::1")));
}

TEST(NetworkMap, AgreesWithTheNaiveSearchOnRandomNetworks) {
  base::SeededRandom random(20261121);
  for (int round = 0; round < 40; ++round) {
    std::vector<NetworkMap<int>::Entry> entries;
    for (int at = 0; at < 200; ++at) {
      entries.emplace_back(randomNetwork(random), at);
    }
    const NetworkMap<int> map(entries);
    for (int probe = 0; probe < 200; ++probe) {
      const IpAddress address = randomAddress(random);
      std::set<int> expected;
      for (const auto& [network, value] : entries) {
        if (network.contains(address)) {
          expected.insert(value);
        }
      }
      std::set<int> seen;
      int last_length = 129;
      map.visit(address, [&](const Network& network, int value) {
        EXPECT_LE(network.length(), last_length);
        last_length = network.length();
        seen.insert(value);
        return true;
      });
      ASSERT_EQ(seen, expected) << address.text();
      ASSERT_EQ(map.matches(address), !expected.empty());
    }
  }
}

TEST(Aggregate, DropsCoveredAndJoinsHalves) {
  const auto out = aggregate({net("10.0.0.0/9"), net("10.128.0.0/9"), net("10.1.2.3"), net("11.0.0.0/8"), net("12.0.0.0/8"),
                              net("2001:db8::/33"), net("2001:db8:8000::/33"), net("2001:db8::1")});
  std::vector<std::string> texts;
  for (const auto& network : out) {
    texts.push_back(network.text());
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"10.0.0.0/7", "12.0.0.0/8", "2001:db8::/32"}));
  EXPECT_EQ(aggregate({net("0.0.0.0/1"), net("128.0.0.0/1")}).size(), 2U) << "never /0";
}

TEST(Aggregate, CoversTheSameAddressesOnRandomNetworks) {
  base::SeededRandom random(7);
  for (int round = 0; round < 40; ++round) {
    std::vector<Network> networks;
    for (int at = 0; at < 300; ++at) {
      networks.push_back(randomNetwork(random));
    }
    const auto fewer = aggregate(networks);
    const NetworkSet before = makeNetworkSet(networks);
    const NetworkSet after = makeNetworkSet(fewer);
    for (int probe = 0; probe < 500; ++probe) {
      const IpAddress address = randomAddress(random);
      ASSERT_EQ(before.matches(address), after.matches(address)) << address.text();
    }
    for (std::size_t at = 1; at < fewer.size(); ++at) {
      ASSERT_FALSE(fewer[at - 1].overlaps(fewer[at]));
    }
  }
}

}  // namespace
}  // namespace tollgate::digits
