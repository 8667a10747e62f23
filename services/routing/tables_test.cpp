#include "services/routing/tables.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <gtest/gtest.h>

#include "libs/base/random.hpp"
#include "services/routing/route.hpp"

namespace tollgate::routing {
namespace {

std::string randomDigits(base::Random& random, std::size_t length_max) {
  std::string out(random.next() % (length_max + 1), '0');
  for (char& c : out) {
    c = static_cast<char>('0' + random.next() % 2);
  }
  return out;
}

Trunk carrier() {
  Trunk trunk;
  trunk.id = base::TrunkId(900);
  trunk.customer = base::CustomerId(1);
  trunk.enabled = trunk.outgoing_allowed = true;
  trunk.endpoints.push_back({base::EndpointId(1), "192.0.2.1", 5060, base::Transport::kUdp});
  return trunk;
}

Rule randomRule(std::int64_t id, base::Random& random) {
  Rule rule;
  rule.id = base::RuleId(id);
  rule.code = digits::PrefixCode::parse(randomDigits(random, 4)).value();
  rule.active = random.next() % 5 != 0;
  if (random.next() % 3 == 0) {
    rule.scope = base::TrunkId(static_cast<std::int64_t>(random.next() % 4 + 1));
  }
  if (random.next() % 3 == 0) {
    rule.digits_min = random.next() % 6;
  }
  if (random.next() % 3 == 0) {
    rule.digits_max = random.next() % 8;
  }
  rule.targets.push_back({base::TrunkId(900), 0, 1});
  return rule;
}

struct Peer {
  std::int64_t trunk;
  Dialpeer dialpeer;
};

struct Model {
  std::map<std::int64_t, Rule> rules;
  std::map<std::int64_t, Peer> dialpeers;

  // The dialpeer that REQUIREMENTS 3.3 names, found by looking at all; nothing = no route.
  [[nodiscard]] std::optional<std::int64_t> expected(std::int64_t trunk, const std::string& number) const {
    std::optional<std::int64_t> best;
    const Rule* best_rule = nullptr;
    for (const auto& [id, peer] : dialpeers) {
      const auto rule = rules.find(peer.dialpeer.rule.value());
      if (peer.trunk != trunk || !peer.dialpeer.active || peer.dialpeer.customer.value() != 1 || rule == rules.end() ||
          !fits(rule->second, trunk, number)) {
        continue;
      }
      const auto size = rule->second.code.size();
      const bool scoped = rule->second.scope.isSet();
      if (best_rule == nullptr || size > best_rule->code.size() ||
          (size == best_rule->code.size() && scoped && !best_rule->scope.isSet())) {
        best = id;
        best_rule = &rule->second;
      }
    }
    return best;
  }

  static bool fits(const Rule& rule, std::int64_t trunk, const std::string& number) {
    return rule.active && number.starts_with(rule.code.text()) && (!rule.scope.isSet() || rule.scope.value() == trunk) &&
           (!rule.digits_min || number.size() >= *rule.digits_min) && (!rule.digits_max || number.size() <= *rule.digits_max);
  }
};

void changeSomething(Model& model, Tables& tables, base::Random& random) {
  const auto id = static_cast<std::int64_t>(random.next() % 40 + 1);
  switch (random.next() % 6) {
    case 0:
      model.rules.erase(id);
      tables.removeRule(base::RuleId(id));
      break;
    case 1:
    case 2:
      model.rules[id] = randomRule(id, random);
      tables.setRule(model.rules[id]);
      break;
    case 3:
      model.dialpeers.erase(id);
      tables.removeDialpeer(base::DialpeerId(id));
      break;
    default: {
      const auto trunk = static_cast<std::int64_t>(random.next() % 4 + 1);
      const Dialpeer dialpeer{base::DialpeerId(id), base::CustomerId(random.next() % 8 == 0 ? 2 : 1),
                              base::RuleId(static_cast<std::int64_t>(random.next() % 40 + 1)), random.next() % 6 != 0};
      model.dialpeers[id] = {trunk, dialpeer};
      tables.setDialpeer(base::TrunkId(trunk), dialpeer);
    }
  }
}

// REQUIREMENTS 3.3, 3.8: after any changes, the decision is what a search through all dialpeers gives.
TEST(RoutingTables, AgreeWithTheNaiveSearchAfterRandomChanges) {
  base::SeededRandom random(33);
  Tables tables;
  Model model;
  tables.setCustomer(base::CustomerId(1), {"One", false});
  tables.setTrunk(carrier());
  int routed = 0;
  for (std::uint64_t round = 1; round <= 400; ++round) {
    for (int change = 0; change < 4; ++change) {
      changeSomething(model, tables, random);
    }
    tables.publish(round);
    const auto snapshot = tables.current();
    for (int probe = 0; probe < 20; ++probe) {
      const auto trunk = static_cast<std::int64_t>(random.next() % 4 + 1);
      const std::string number = randomDigits(random, 8);
      const RouteDecision decision = route(*snapshot, {base::CustomerId(1), base::TrunkId(trunk), number, false});
      const auto expected = model.expected(trunk, number);
      ASSERT_EQ(decision.rule != nullptr, expected.has_value()) << "round " << round << " number " << number;
      ASSERT_EQ(decision.dialpeer.value(), expected.value_or(0)) << "round " << round << " number " << number;
      routed += expected ? 1 : 0;
    }
  }
  EXPECT_GT(routed, 2000);
  EXPECT_LT(routed, 7500);
}

// REQUIREMENTS 3.8: while new tables are built no call waits: a snapshot in use stays as it was.
TEST(RoutingTables, ASnapshotInUseDoesNotChange) {
  base::SeededRandom random(1);
  Tables tables;
  EXPECT_EQ(tables.current(), nullptr);
  tables.setCustomer(base::CustomerId(1), {"One", false});
  tables.setTrunk(carrier());
  Rule rule;
  rule.id = base::RuleId(1);
  rule.active = true;
  rule.targets.push_back({base::TrunkId(900), 0, 1});
  tables.setRule(rule);
  tables.setDialpeer(base::TrunkId(5), {base::DialpeerId(1), base::CustomerId(1), base::RuleId(1), true});
  tables.publish(1);
  const auto before = tables.current();
  tables.removeDialpeer(base::DialpeerId(1));
  tables.removeRule(base::RuleId(1));
  tables.removeTrunk(base::TrunkId(900));
  tables.publish(2);
  const RouteQuery query{base::CustomerId(1), base::TrunkId(5), "37410", false};
  EXPECT_FALSE(route(*before, query).refusal);
  EXPECT_TRUE(route(*tables.current(), query).refusal);
  EXPECT_EQ(before->version, 1U);
  EXPECT_EQ(tables.current()->version, 2U);
}

}  // namespace
}  // namespace tollgate::routing
