// tollgate-auth against real NATS and MariaDB servers.
#include <gtest/gtest.h>

#include "libs/testkit/wait.hpp"
#include "tests/component/decision_world.hpp"
#include "tollgate/auth/v1/auth.rpc.h"

namespace tollgate::component {
namespace {

using testkit::ServiceProcess;
using testkit::waitUntil;

class AuthProcess : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<DecisionWorld>();
    world_->saveCustomer(1);
    saveTrunk(5, "55", "10.0.0.0/24");
    auth_ = std::make_unique<ServiceProcess>(world_->service("auth"));
  }
  static void TearDownTestSuite() {
    if (auth_) {
      EXPECT_EQ(auth_->stop(), 0);
    }
    auth_.reset();
    world_.reset();
  }

  static std::string trunkSql(std::int64_t id, const std::string& prefix, const std::string& network, const std::string& status) {
    const std::string key = std::to_string(id);
    return "REPLACE INTO trunks (id, customer_id, name, tech_prefix, status, created_at, updated_at) VALUES (" + key + ", 1, 'Trunk " +
           key + "', '" + prefix + "', '" + status +
           "', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)); DELETE FROM trunk_sources WHERE trunk_id = " + key +
           "; INSERT INTO trunk_sources (id, trunk_id, position, network) VALUES (" + key + "0, " + key + ", 0, '" + network + "')";
  }
  static void saveTrunk(std::int64_t id, const std::string& prefix, const std::string& network, const std::string& status = "enabled") {
    world_->save("trunk", id, trunkSql(id, prefix, network, status));
  }
  static void deleteTrunk(std::int64_t id) { world_->save("trunk", id, "DELETE FROM trunks WHERE id = " + std::to_string(id), "deleted"); }

  static base::Result<auth::v1::AuthorizeReply> authorize(const std::string& address, const std::string& called) {
    auth::v1::AuthorizeRequest request;
    request.set_source_address(address);
    request.set_source_port(5060);
    request.set_called(called);
    request.set_caller("37499111222");
    return world_->ask<auth::v1::Auth::Authorize>(request);
  }
  // The reason of the refusal; UNSPECIFIED = accepted; nullopt = no answer.
  static std::optional<common::v1::Reason> check(const std::string& address, const std::string& called) {
    const auto reply = authorize(address, called);
    return reply ? std::optional(reply->refusal().reason()) : std::nullopt;
  }
  static bool isLetIn(const std::string& address, const std::string& called) {
    return check(address, called) == common::v1::REASON_UNSPECIFIED;
  }

  static inline std::unique_ptr<DecisionWorld> world_;
  static inline std::unique_ptr<ServiceProcess> auth_;
};

// REQUIREMENTS 2.4, 2.5: the answer as the ingress gets it.
TEST_F(AuthProcess, IdentifiesTheTrunkAndStripsThePrefix) {
  const auto reply = authorize("10.0.0.7", "+5537410555");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_FALSE(reply->has_refusal()) << reply->refusal().detail();
  EXPECT_EQ(reply->identified().customer_id(), 1);
  EXPECT_EQ(reply->identified().trunk_id(), 5);
  EXPECT_EQ(reply->identified().source_row_id(), 50);
  EXPECT_EQ(reply->identified().called(), "37410555");
  EXPECT_EQ(reply->identified().caller(), "37499111222");
  EXPECT_EQ(reply->identified().tech_prefix(), "55");
  ASSERT_EQ(reply->identified().codecs_size(), 2);
  EXPECT_EQ(reply->identified().codecs(0), common::v1::CODEC_PCMU);
  EXPECT_EQ(reply->identified().codecs(1), common::v1::CODEC_PCMA);
  EXPECT_EQ(reply->trace_size(), 5);
}

TEST_F(AuthProcess, RefusesWithTheReasonOfTheRejectMap) {
  EXPECT_EQ(check("10.0.1.7", "5537410"), common::v1::REASON_UNKNOWN_SOURCE);
  EXPECT_EQ(check("10.0.0.7", "4437410"), common::v1::REASON_TECH_PREFIX_MISMATCH);
  EXPECT_EQ(check("10.0.0.7", "55"), common::v1::REASON_ADDRESS_INCOMPLETE);
  EXPECT_GE(auth_->metric("tollgate_auth_requests_total{result=\"unknown_source\"}").value_or(0), 1);
}

// REQUIREMENTS 2.4, 3.8: changes apply to the next INVITE, within one second.
TEST_F(AuthProcess, PutsChangesInForceWithinASecond) {
  saveTrunk(6, "66", "10.0.6.0/24");
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.6.1", "6637410"); }, kInForce));
  saveTrunk(6, "67", "10.0.6.0/24");
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.6.1", "6737410"); }, kInForce));
  EXPECT_EQ(check("10.0.6.1", "6637410"), common::v1::REASON_TECH_PREFIX_MISMATCH);
  saveTrunk(6, "67", "10.0.7.0/24");
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.7.1", "6737410"); }, kInForce));
  EXPECT_EQ(check("10.0.6.1", "6737410"), common::v1::REASON_UNKNOWN_SOURCE);
  saveTrunk(6, "67", "10.0.7.0/24", "disabled");
  EXPECT_TRUE(waitUntil([] { return check("10.0.7.1", "6737410") == common::v1::REASON_TRUNK_DISABLED; }, kInForce));
  deleteTrunk(6);
  EXPECT_TRUE(waitUntil([] { return check("10.0.7.1", "6737410") == common::v1::REASON_UNKNOWN_SOURCE; }, kInForce));
}

// REQUIREMENTS 1.7: block and unblock.
TEST_F(AuthProcess, BlocksAndUnblocksACustomerWithinASecond) {
  world_->saveCustomer(1, "blocked");
  EXPECT_TRUE(waitUntil([] { return check("10.0.0.7", "5537410") == common::v1::REASON_CUSTOMER_BLOCKED; }, kInForce));
  world_->saveCustomer(1, "active");
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.0.7", "5537410"); }, kInForce));
}

// REQUIREMENTS 3.8: also when the event is lost.
TEST_F(AuthProcess, FindsAChangeWhoseEventWasLost) {
  world_->saveWithoutEvent("trunk", 8, trunkSql(8, "88", "10.0.8.0/24", "enabled"));
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.8.1", "8837410"); }, kInForce));
}

// REQUIREMENTS 2.4: unknown sources stop at the ingress, which holds this list.
TEST_F(AuthProcess, ListsTheNetworksAndSaysWhenNothingChanged) {
  auth::v1::ListNetworksRequest request;
  const auto list = [&request] { return world_->ask<auth::v1::Auth::ListNetworks>(request).value(); };
  const auto has = [](const auth::v1::ListNetworksReply& reply, std::string_view cidr) {
    return std::any_of(reply.networks().begin(), reply.networks().end(), [cidr](const auto& network) { return network.cidr() == cidr; });
  };
  const auto first = list();
  EXPECT_TRUE(has(first, "10.0.0.0/24"));
  request.set_known_version(first.version());
  EXPECT_TRUE(list().unchanged());
  EXPECT_EQ(list().networks_size(), 0);
  world_->saveCustomer(1);
  saveTrunk(9, "99", "172.16.0.0/12", "disabled");
  ASSERT_TRUE(waitUntil([&] { return has(list(), "172.16.0.0/12"); }, kInForce)) << "a disabled trunk's calls are refused with a record";
  deleteTrunk(9);
  EXPECT_TRUE(waitUntil([&] { return list().unchanged(); }, kInForce)) << "the version stands for the content";
}

// REQUIREMENTS 12.2: MySQL lost: the last tables continue to answer, and recovery needs no operator.
TEST_F(AuthProcess, GoesOnWithItsTablesWhenTheDatabaseIsLost) {
  world_->maria().kill();
  EXPECT_TRUE(isLetIn("10.0.0.7", "5537410"));
  world_->publishChange("trunk");
  EXPECT_TRUE(isLetIn("10.0.0.7", "5537410"));
  EXPECT_TRUE(auth_->isReady());
  EXPECT_TRUE(waitUntil([] { return auth_->metric("tollgate_auth_feed_failures_total").value_or(0) > 0; }));
  EXPECT_GT(auth_->metric("tollgate_auth_feed_last_success_timestamp_seconds").value_or(0), 0);
  world_->maria().start();
  saveTrunk(11, "11", "10.0.11.0/24");
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.11.1", "1137410"); }, std::chrono::seconds(20)));
}

// REQUIREMENTS 12.2: the bus lost: not ready, and ready again without an operator.
TEST_F(AuthProcess, ComesBackWhenTheBusWasLost) {
  world_->nats().kill();
  EXPECT_TRUE(waitUntil([] { return !auth_->isReady(); }));
  EXPECT_EQ(check("10.0.0.7", "5537410"), std::nullopt);
  world_->nats().start();
  EXPECT_TRUE(waitUntil([] { return isLetIn("10.0.0.7", "5537410"); }, std::chrono::seconds(20)));
  EXPECT_TRUE(waitUntil([] { return auth_->isReady(); }));
}

// REQUIREMENTS 12.1: without its tables the service is not ready, and what it is asked is an error, never a refusal.
TEST(AuthStart, IsNotReadyBeforeTheFirstLoad) {
  DecisionWorld world;
  world.saveCustomer(1);
  world.maria().stop();
  auto options = world.service("auth");
  options.wait_ready = false;
  ServiceProcess auth(options);
  base::ErrorCode code{};
  ASSERT_TRUE(waitUntil([&] {
    const auto reply = world.ask<auth::v1::Auth::Authorize>({});
    code = reply ? base::ErrorCode::kInternal : reply.error().code;
    return !reply && reply.error().message.find("not loaded") != std::string::npos;
  }));
  EXPECT_EQ(code, base::ErrorCode::kUnavailable);
  EXPECT_FALSE(auth.isReady());
  world.maria().start();
  EXPECT_TRUE(waitUntil([&auth] { return auth.isReady(); }, std::chrono::seconds(20)));
  EXPECT_EQ(auth.stop(), 0);
}

}  // namespace
}  // namespace tollgate::component
