#include "services/routing/route.hpp"

#include <map>

#include <gtest/gtest.h>

#include "libs/wire/same_enum.hpp"
#include "services/routing/tables.hpp"
#include "services/routing/wire.hpp"

namespace tollgate::routing {
namespace {

TEST(Mode, IsThatOfTheProto) {
  wire::expectSameEnum<Mode, kLastMode>(*v1::RoutingMode_descriptor(), "ROUTING_MODE_");
}

using base::Reason;

constexpr std::int64_t kCaller = 1;  // customer of the calling trunk
constexpr std::int64_t kTrunk = 10;  // the calling trunk
constexpr std::int64_t kVendor = 2;  // customer of the carriers

class Route : public testing::Test {
 protected:
  void SetUp() override {
    tables_.setCustomer(base::CustomerId(kCaller), {"Caller", false});
    tables_.setCustomer(base::CustomerId(kVendor), {"Vendor", false});
  }

  static Trunk makeTrunk(std::int64_t id, std::int64_t next = 0) {
    Trunk trunk;
    trunk.id = base::TrunkId(id);
    trunk.customer = base::CustomerId(kVendor);
    trunk.name = "C" + std::to_string(id);
    trunk.enabled = true;
    trunk.outgoing_allowed = true;
    trunk.next = base::TrunkId(next);
    trunk.try_timeout = std::chrono::milliseconds(4000);
    trunk.ringing_timeout = std::chrono::seconds(90);
    trunk.endpoints.push_back({base::EndpointId(id * 10), "192.0.2.1", 5060, base::Transport::kUdp});
    return trunk;
  }

  void carriers(std::initializer_list<std::int64_t> ids) {
    for (const auto id : ids) {
      tables_.setTrunk(makeTrunk(id));
    }
  }

  // A rule with a dialpeer of the calling trunk; both get the same id.
  void rule(std::int64_t id, const char* code, std::vector<Target> targets, Mode mode = Mode::kPriority) {
    set(makeRule(id, code, std::move(targets), mode));
    link(id);
  }
  static Rule makeRule(std::int64_t id, const char* code, std::vector<Target> targets, Mode mode = Mode::kPriority) {
    Rule made;
    made.id = base::RuleId(id);
    made.code = digits::PrefixCode::parse(code).value();
    made.mode = mode;
    made.active = true;
    made.targets = std::move(targets);
    return made;
  }
  void set(Rule made) { tables_.setRule(std::move(made)); }
  void link(std::int64_t rule_id, std::int64_t customer = kCaller, bool active = true) {
    tables_.setDialpeer(base::TrunkId(kTrunk), {base::DialpeerId(rule_id), base::CustomerId(customer), base::RuleId(rule_id), active});
  }
  static Target to(std::int64_t trunk, std::int64_t priority = 0, std::uint32_t weight = 1) {
    return {base::TrunkId(trunk), priority, weight};
  }

  RouteDecision ask(std::string_view called, bool dry_run = false) {
    tables_.publish(++version_);
    held_ = tables_.current();
    return route(*held_, {base::CustomerId(kCaller), base::TrunkId(kTrunk), called, dry_run});
  }
  static Reason reasonOf(const RouteDecision& decision) { return decision.refusal ? decision.refusal->reason : Reason::kUnspecified; }
  static std::vector<std::int64_t> trunksOf(const RouteDecision& decision) {
    std::vector<std::int64_t> ids;
    for (const auto& candidate : decision.candidates) {
      ids.push_back(candidate.trunk->id.value());
    }
    return ids;
  }
  std::vector<std::int64_t> order(std::string_view called) { return trunksOf(ask(called)); }
  std::int64_t ruleFor(std::string_view called) {
    const RouteDecision decision = ask(called);
    return decision.rule == nullptr ? 0 : decision.rule->id.value();
  }

  using Ids = std::vector<std::int64_t>;
  Tables tables_;
  std::shared_ptr<const Snapshot> held_;  // what the last decision points into
  std::uint64_t version_ = 0;
};

// REQUIREMENTS 3.3: the longest code wins; the empty code is the catch-all.
TEST_F(Route, TakesTheLongestCodeAndTheCatchAllLast) {
  carriers({20});
  rule(1, "", {to(20)});
  rule(2, "374", {to(20)});
  rule(3, "37410", {to(20)});
  EXPECT_EQ(ruleFor("37410555"), 3);
  EXPECT_EQ(ruleFor("37411555"), 2);
  EXPECT_EQ(ruleFor("4420"), 1);
}

// REQUIREMENTS 3.3: a rule may also ask for a number length.
TEST_F(Route, PassesOverRulesThatAskForAnotherLength) {
  carriers({20});
  rule(1, "374", {to(20)});
  Rule sized = makeRule(2, "37410", {to(20)});
  sized.digits_min = 8;
  sized.digits_max = 10;
  set(sized);
  link(2);
  EXPECT_EQ(ruleFor("3741055"), 1);
  EXPECT_EQ(ruleFor("37410555"), 2);
  EXPECT_EQ(ruleFor("3741055555"), 2);
  EXPECT_EQ(ruleFor("37410555555"), 1);
}

// REQUIREMENTS 3.1: only rules reachable through an active dialpeer of the calling customer and trunk.
TEST_F(Route, UsesOnlyActiveDialpeersOfTheCustomerAndTrunk) {
  carriers({20});
  rule(1, "", {to(20)});
  set(makeRule(2, "374", {to(20)}));
  EXPECT_EQ(ruleFor("37410"), 1) << "rule 2 has no dialpeer";
  link(2, kCaller, false);
  EXPECT_EQ(ruleFor("37410"), 1) << "inactive dialpeer";
  link(2, kVendor, true);
  EXPECT_EQ(ruleFor("37410"), 1) << "dialpeer of another customer";
  link(2, kCaller, true);
  EXPECT_EQ(ruleFor("37410"), 2);
  tables_.removeDialpeer(base::DialpeerId(2));
  EXPECT_EQ(ruleFor("37410"), 1);
}

// REQUIREMENTS 3.5: active, trunk scope.
TEST_F(Route, PassesOverInactiveAndForeignScopedRules) {
  carriers({20});
  rule(1, "", {to(20)});
  Rule other = makeRule(2, "374", {to(20)});
  other.active = false;
  set(other);
  link(2);
  EXPECT_EQ(ruleFor("37410"), 1);
  other.active = true;
  other.scope = base::TrunkId(99);
  set(other);
  EXPECT_EQ(ruleFor("37410"), 1);
  other.scope = base::TrunkId(kTrunk);
  set(other);
  EXPECT_EQ(ruleFor("37410"), 2);
  set(makeRule(3, "374", {to(20)}));
  link(3);
  EXPECT_EQ(ruleFor("37410"), 2) << "of equal codes the scoped one wins";
}

// REQUIREMENTS 3.4: no dialpeer, or none that matches: no route.
TEST_F(Route, RefusesWithoutDialpeerOrMatch) {
  carriers({20});
  EXPECT_EQ(reasonOf(ask("37410")), Reason::kNoRoute);
  rule(1, "44", {to(20)});
  const RouteDecision decision = ask("37410");
  EXPECT_EQ(reasonOf(decision), Reason::kNoRoute);
  EXPECT_EQ(decision.refusal->detail, "no rule of the dialpeers of trunk 10 matches the called number");
  EXPECT_EQ(reasonOf(ask("alice")), Reason::kMalformed);
}

// REQUIREMENTS 3.4: a rule with no usable target is as no route; a shorter code is not tried instead.
TEST_F(Route, RefusesWhenTheRuleHasNoUsableTarget) {
  carriers({20});
  rule(1, "", {to(20)});
  rule(2, "374", {to(21)});
  Trunk trunk = makeTrunk(21);
  const auto expectUnusable = [&](const Trunk& row, std::string_view why) {
    tables_.setTrunk(row);
    const RouteDecision decision = ask("37410");
    EXPECT_EQ(reasonOf(decision), Reason::kNoRoute) << why;
    const bool traced = std::any_of(decision.trace.begin(), decision.trace.end(), [why](const base::TraceStep& line) {
      return !line.passed && line.found.find(why) != std::string::npos;
    });
    EXPECT_TRUE(traced) << why;
  };
  EXPECT_EQ(reasonOf(ask("37410")), Reason::kNoRoute) << "trunk 21 does not exist";
  trunk.enabled = false;
  expectUnusable(trunk, "trunk 21 (C21) is disabled");
  trunk = makeTrunk(21);
  trunk.outgoing_allowed = false;
  expectUnusable(trunk, "trunk 21 (C21) takes no outgoing calls");
  trunk = makeTrunk(21);
  trunk.endpoints.clear();
  expectUnusable(trunk, "trunk 21 (C21) has no endpoint");
  trunk = makeTrunk(21);
  trunk.customer = base::CustomerId(3);
  tables_.setCustomer(base::CustomerId(3), {"Third", true});
  expectUnusable(trunk, "customer 3 (Third) of trunk 21 (C21) is blocked");
  tables_.setCustomer(base::CustomerId(3), {"Third", false});
  EXPECT_EQ(order("37410"), (Ids{21}));
}

// REQUIREMENTS 3.6: lower priority first, round-robin among equals.
TEST_F(Route, TurnsAmongEqualPriorities) {
  carriers({20, 21, 22, 23});
  rule(1, "", {to(23, 5), to(20), to(21), to(22)});
  EXPECT_EQ(order("1"), (Ids{20, 21, 22, 23}));
  EXPECT_EQ(order("1"), (Ids{21, 22, 20, 23}));
  EXPECT_EQ(order("1"), (Ids{22, 20, 21, 23}));
  EXPECT_EQ(trunksOf(ask("1", true)), (Ids{20, 21, 22, 23})) << "a dry run leaves the turns as they are";
  EXPECT_EQ(order("1"), (Ids{20, 21, 22, 23})) << "and moved nothing";
}

TEST_F(Route, KeepsTurningOverAChangeOfTheRule) {
  carriers({20, 21});
  rule(1, "", {to(20), to(21)});
  EXPECT_EQ(order("1").front(), 20);
  Rule renamed = makeRule(1, "", {to(20), to(21)});
  renamed.label = "renamed";
  set(renamed);
  EXPECT_EQ(order("1").front(), 21);
}

// REQUIREMENTS 3.6: weight = least loaded first, ties by higher weight: routing marks, billing decides.
TEST_F(Route, MarksTheTargetsOfModeWeightForTheLoad) {
  tables_.setTrunk(makeTrunk(20, 30));
  carriers({21, 30});
  rule(1, "", {to(20, 0, 10), to(21, 0, 30)}, Mode::kWeight);
  const RouteDecision decision = ask("1");
  EXPECT_EQ(trunksOf(decision), (Ids{21, 20, 30}));
  EXPECT_EQ(decision.by_load, 2U);
  EXPECT_EQ(decision.candidates[0].weight, 30U);
  EXPECT_TRUE(decision.candidates[2].from_next_trunk);
}

// REQUIREMENTS 3.6: percent = share of calls by weight; the rest follow by weight.
TEST_F(Route, GivesPercentTargetsTheirShareFirst) {
  carriers({20, 21, 22});
  rule(1, "", {to(20, 0, 20), to(21, 0, 70), to(22, 0, 10)}, Mode::kPercent);
  std::map<std::int64_t, int> first;
  for (int call = 0; call < 200; ++call) {
    const RouteDecision decision = ask("1");
    ++first[trunksOf(decision).front()];
    EXPECT_EQ(decision.by_load, 0U);
    if (trunksOf(decision).front() == 22) {
      EXPECT_EQ(trunksOf(decision), (Ids{22, 21, 20}));
    }
  }
  EXPECT_EQ(first, (std::map<std::int64_t, int>{{20, 40}, {21, 140}, {22, 20}}));
}

// REQUIREMENTS 2.15: next trunk on failure, with its own limits; a cycle does not hang.
TEST_F(Route, AppendsNextTrunkChainsAfterAllTargets) {
  tables_.setTrunk(makeTrunk(20, 30));
  tables_.setTrunk(makeTrunk(21, 31));
  tables_.setTrunk(makeTrunk(30, 32));
  tables_.setTrunk(makeTrunk(31, 20));
  Trunk disabled = makeTrunk(32, 33);
  disabled.enabled = false;
  tables_.setTrunk(disabled);
  tables_.setTrunk(makeTrunk(33, 30));
  rule(1, "", {to(20), to(21, 1)});
  const RouteDecision decision = ask("1");
  EXPECT_EQ(trunksOf(decision), (Ids{20, 21, 30, 33, 31}));
  EXPECT_FALSE(decision.candidates[1].from_next_trunk);
  EXPECT_TRUE(decision.candidates[2].from_next_trunk);
}

TEST_F(Route, EndsOnACycleOfUnusableTrunks) {
  tables_.setTrunk(makeTrunk(20, 30));
  for (const auto& [id, next] : {std::pair{30, 31}, std::pair{31, 30}}) {
    Trunk trunk = makeTrunk(id, next);
    trunk.enabled = false;
    tables_.setTrunk(trunk);
  }
  rule(1, "", {to(20)});
  EXPECT_EQ(order("1"), (Ids{20}));
}

TEST_F(Route, KeepsToTheLimitOfCandidates) {
  std::vector<Target> targets;
  for (std::int64_t id = 100; id < 200; ++id) {
    tables_.setTrunk(makeTrunk(id, id + 1));
    targets.push_back(to(id, id));
  }
  rule(1, "", targets);
  EXPECT_EQ(order("1").size(), base::limits::kCandidatesMax);
  rule(1, "", {to(100)});
  EXPECT_EQ(order("1").size(), base::limits::kCandidatesMax);
}

// REQUIREMENTS 10.3: the rule, and each candidate with the reason it was skipped.
TEST_F(Route, TracesTheRuleAndEachCandidateInWords) {
  Trunk disabled = makeTrunk(20);
  disabled.enabled = false;
  tables_.setTrunk(disabled);
  tables_.setTrunk(makeTrunk(21, 22));
  carriers({22});
  Rule armenia = makeRule(7, "374", {to(20), to(21)});
  armenia.label = "Armenia";
  set(armenia);
  link(7);
  const auto reply = toReply(ask("37410"));
  std::vector<std::string> lines;
  for (const auto& step : reply.trace()) {
    EXPECT_EQ(step.stage(), "routing");
    lines.push_back(step.check() + (step.passed() ? ": " : "! ") + step.found());
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"dialpeer: trunk 10 has 1 active dialpeer",
                                             "rule: rule 7 (374 Armenia) of dialpeer 7 has the longest code that matches the called number",
                                             "candidate! trunk 20 (C20) is disabled",
                                             "candidate: trunk 21 (C21) is candidate 1 and has 1 endpoint",
                                             "candidate: trunk 22 (C22) is candidate 2 as the next trunk on failure and has 1 endpoint"}));
}

// REQUIREMENTS 2.10, 2.12, 2.13: what the ingress needs of each candidate is in the reply.
TEST_F(Route, FillsTheCandidatesOfTheReply) {
  Trunk trunk = makeTrunk(20);
  trunk.unified_caller = "37499";
  trunk.request_uri_parameter = "user=phone";
  trunk.try_timeout = std::chrono::milliseconds(2500);
  trunk.endpoints.push_back({base::EndpointId(201), "2001:db8::1", 5080, base::Transport::kTcp});
  tables_.setTrunk(trunk);
  rule(1, "374", {to(20, 0, 5)});
  const auto reply = toReply(ask("37410"));
  ASSERT_EQ(reply.routed().candidates_size(), 1);
  EXPECT_EQ(reply.routed().rule_code(), "374");
  EXPECT_EQ(reply.routed().dialpeer_id(), 1);
  EXPECT_EQ(reply.routed().mode(), v1::ROUTING_MODE_PRIORITY);
  const auto& candidate = reply.routed().candidates(0);
  EXPECT_EQ(candidate.customer_id(), kVendor);
  EXPECT_EQ(candidate.trunk_name(), "C20");
  EXPECT_EQ(candidate.weight(), 5U);
  EXPECT_EQ(candidate.unified_caller(), "37499");
  EXPECT_EQ(candidate.request_uri_parameter(), "user=phone");
  EXPECT_EQ(candidate.try_timeout().seconds(), 2);
  EXPECT_EQ(candidate.try_timeout().nanos(), 500'000'000);
  EXPECT_EQ(candidate.ringing_timeout().seconds(), 90);
  ASSERT_EQ(candidate.endpoints_size(), 2);
  EXPECT_EQ(candidate.endpoints(1).address(), "2001:db8::1");
  EXPECT_EQ(candidate.endpoints(1).port(), 5080U);
  EXPECT_EQ(candidate.endpoints(1).transport(), common::v1::TRANSPORT_TCP);
}

}  // namespace
}  // namespace tollgate::routing
