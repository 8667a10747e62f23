// tollgate-routing against real NATS and MariaDB servers.
#include <map>

#include <gtest/gtest.h>

#include "libs/testkit/wait.hpp"
#include "tests/component/decision_world.hpp"
#include "tollgate/routing/v1/routing.rpc.h"

namespace tollgate::component {
namespace {

using testkit::ServiceProcess;
using testkit::waitUntil;

constexpr const char* kNow = "UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)";

// Customer 1 calls from trunk 10; the carriers are trunks of customer 2. Two replicas answer.
class RoutingProcess : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<DecisionWorld>();
    world_->saveCustomer(1);
    world_->saveCustomer(2);
    saveTrunk(10, 1);
    for (const std::int64_t id : {20, 21, 22}) {
      saveTrunk(id, 2);
    }
    saveRule(1, "374", "priority", "(1, 0, 20, 0, 1)");
    saveDialpeer(1, 10, 1);
    for (auto& replica : replicas_) {
      replica = std::make_unique<ServiceProcess>(world_->service("routing"));
    }
  }
  static void TearDownTestSuite() {
    for (auto& replica : replicas_) {
      if (replica) {
        EXPECT_EQ(replica->stop(), 0);
      }
      replica.reset();
    }
    world_.reset();
  }

  static void saveTrunk(std::int64_t id, std::int64_t customer, const std::string& next = "NULL", const std::string& status = "enabled") {
    const std::string key = std::to_string(id);
    world_->save("trunk", id,
                 "INSERT INTO trunks (id, customer_id, name, max_concurrent_outgoing, next_trunk_id, unified_caller, status, created_at, "
                 "updated_at) VALUES (" +
                     key + ", " + std::to_string(customer) + ", 'Trunk " + key + "', 100, " + next + ", '37400', '" + status + "', " +
                     kNow +
                     ") ON DUPLICATE KEY UPDATE next_trunk_id = VALUES(next_trunk_id), status = VALUES(status); "
                     "REPLACE INTO trunk_endpoints (id, trunk_id, position, address, port) VALUES (" +
                     key + ", " + key + ", 0, '192.0.2." + key + "', 5070)");
  }
  // targets: rows (rule, position, trunk, priority, weight).
  static void saveRule(std::int64_t id, const std::string& code, const std::string& mode, const std::string& targets) {
    const std::string key = std::to_string(id);
    world_->save(
        "routing_rule", id,
        "INSERT INTO routing_rules (id, code, mode, created_at, updated_at) VALUES (" + key + ", '" + code + "', '" + mode + "', " + kNow +
            ") ON DUPLICATE KEY UPDATE code = VALUES(code), mode = VALUES(mode); DELETE FROM routing_targets WHERE rule_id = " + key +
            "; INSERT INTO routing_targets (rule_id, position, trunk_id, priority, weight) VALUES " + targets);
  }
  static void saveDialpeer(std::int64_t id, std::int64_t trunk, std::int64_t rule, bool active = true) {
    world_->save("dialpeer", id,
                 "INSERT INTO dialpeers (id, display_name, customer_id, trunk_id, rule_id, active, created_at, updated_at) VALUES (" +
                     std::to_string(id) + ", 'D', 1, " + std::to_string(trunk) + ", " + std::to_string(rule) + ", " + (active ? "1" : "0") +
                     ", " + kNow + ") ON DUPLICATE KEY UPDATE active = VALUES(active)");
  }

  static base::Result<routing::v1::RouteReply> route(const std::string& called, bool test = false) {
    routing::v1::RouteRequest request;
    request.set_customer_id(1);
    request.set_trunk_id(10);
    request.set_called(called);
    request.set_dry_run(test);
    return world_->ask<routing::v1::Routing::Route>(request);
  }
  static std::vector<std::int64_t> trunksFor(const std::string& called) {
    std::vector<std::int64_t> trunks;
    const auto reply = route(called, true);
    for (int at = 0; reply && at < reply->routed().candidates_size(); ++at) {
      trunks.push_back(reply->routed().candidates(at).trunk_id());
    }
    return trunks;
  }
  static bool isInForceEverywhere() {
    const auto version = static_cast<double>(world_->version());
    return waitUntil(
        [version] {
          return std::all_of(std::begin(replicas_), std::end(replicas_), [version](const auto& replica) {
            return replica->metric("tollgate_routing_snapshot_version").value_or(0) >= version;
          });
        },
        kInForce);
  }

  using Ids = std::vector<std::int64_t>;
  static inline std::unique_ptr<DecisionWorld> world_;
  static inline std::unique_ptr<ServiceProcess> replicas_[2];
};

// REQUIREMENTS 3.1, 3.3: the answer as the ingress gets it.
TEST_F(RoutingProcess, RoutesByTheDialpeersRule) {
  const auto reply = route("37410555");
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_FALSE(reply->has_refusal()) << reply->refusal().detail();
  EXPECT_EQ(reply->routed().rule_id(), 1);
  EXPECT_EQ(reply->routed().rule_code(), "374");
  EXPECT_EQ(reply->routed().dialpeer_id(), 1);
  ASSERT_EQ(reply->routed().candidates_size(), 1);
  const auto& candidate = reply->routed().candidates(0);
  EXPECT_EQ(candidate.trunk_id(), 20);
  EXPECT_EQ(candidate.customer_id(), 2);
  EXPECT_EQ(candidate.unified_caller(), "37400");
  EXPECT_EQ(candidate.try_timeout().seconds(), 4);
  EXPECT_EQ(candidate.ringing_timeout().seconds(), 90);
  ASSERT_EQ(candidate.endpoints_size(), 1);
  EXPECT_EQ(candidate.endpoints(0).address(), "192.0.2.20");
  EXPECT_EQ(candidate.endpoints(0).port(), 5070U);
  EXPECT_EQ(candidate.endpoints(0).transport(), common::v1::TRANSPORT_UDP);
}

// REQUIREMENTS 3.4.
TEST_F(RoutingProcess, RefusesWithoutRoute) {
  const auto reply = route("4420");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->refusal().reason(), common::v1::REASON_NO_ROUTE);
  EXPECT_GE(reply->trace_size(), 1);
}

// REQUIREMENTS 3.8: any change is in force for the next call within one second on every replica.
TEST_F(RoutingProcess, PutsEveryKindOfChangeInForceEverywhereWithinASecond) {
  saveRule(2, "37410", "priority", "(2, 0, 21, 0, 1), (2, 1, 22, 1, 1)");
  saveDialpeer(2, 10, 2);
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37410555"), (Ids{21, 22}));

  saveTrunk(21, 2, "NULL", "disabled");
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37410555"), (Ids{22}));

  saveTrunk(22, 2, "20");
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37410555"), (Ids{22, 20}));

  saveRule(2, "37411", "priority", "(2, 0, 22, 0, 1)");
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37410555"), (Ids{20}));
  EXPECT_EQ(trunksFor("37411555"), (Ids{22, 20}));

  saveDialpeer(2, 10, 2, false);
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37411555"), (Ids{20}));

  world_->saveCustomer(2, "blocked");
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37411555"), Ids{});
  world_->saveCustomer(2, "active");

  saveTrunk(21, 2);
  saveTrunk(22, 2);
  world_->save("dialpeer", 2, "DELETE FROM dialpeers WHERE id = 2", "deleted");
  world_->save("routing_rule", 2, "DELETE FROM routing_rules WHERE id = 2", "deleted");
  ASSERT_TRUE(isInForceEverywhere());
  EXPECT_EQ(trunksFor("37411555"), (Ids{20}));
}

// REQUIREMENTS 3.6: percent over all replicas.
TEST_F(RoutingProcess, KeepsTheSharesOverItsReplicas) {
  saveRule(3, "7", "percent", "(3, 0, 20, 0, 60), (3, 1, 21, 0, 30), (3, 2, 22, 0, 10)");
  saveDialpeer(3, 10, 3);
  ASSERT_TRUE(isInForceEverywhere());
  std::map<std::int64_t, int> first;
  constexpr int kCalls = 400;
  for (int call = 0; call < kCalls; ++call) {
    const auto reply = route("7495");
    ASSERT_TRUE(reply && reply->routed().candidates_size() == 3);
    ++first[reply->routed().candidates(0).trunk_id()];
  }
  // Each replica is exact over ten calls, so two replicas are off by less than ten each.
  EXPECT_NEAR(first[20], 240, 20);
  EXPECT_NEAR(first[21], 120, 20);
  EXPECT_NEAR(first[22], 40, 20);
}

// REQUIREMENTS 12.2: when one replica is lost the other answers; when MySQL is lost the last tables continue to answer.
TEST_F(RoutingProcess, GoesOnWithoutAReplicaAndWithoutTheDatabase) {
  replicas_[1]->kill();
  EXPECT_TRUE(waitUntil([] { return trunksFor("374") == (Ids{20}); }));
  world_->maria().kill();
  EXPECT_EQ(trunksFor("374"), (Ids{20}));
  EXPECT_TRUE(replicas_[0]->isReady());
  world_->maria().start();
  replicas_[1]->start();
  saveRule(1, "374", "priority", "(1, 0, 22, 0, 1)");
  EXPECT_TRUE(waitUntil([] { return trunksFor("374") == (Ids{22}); }, std::chrono::seconds(20)));
}

}  // namespace
}  // namespace tollgate::component
