// tollgate-billing with its real stores, an ingress that reports the live calls that the test names, and the steps of a call: pay, reserve,
// extend, end. Money is in micro-units. Rate plan 1 is for customers, 0.060000 USD a minute (1,000 micro-units a second); rate plan 2 is
// for carriers and costs half of it; rate plan 3 is for customers in rupiah, at 1,000,000 IDR a minute. One thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"
#include "libs/bus/control.hpp"
#include "libs/bus/records.hpp"
#include "libs/cdr/trace.hpp"
#include "libs/redis/client.hpp"
#include "libs/testkit/wait.hpp"
#include "tests/component/decision_world.hpp"
#include "tests/component/tcp_gate.hpp"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/call/v1/call.pb.h"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::component {

// A customer with one trunk, made for one test.
struct Party {
  std::int64_t customer = 0;
  std::int64_t trunk = 0;
};

struct PartyOptions {
  std::string billing_type = "prepaid";
  std::int64_t credit_line = 0;
  bool unlimited = false;
  std::string incoming_max = "NULL";
  std::string outgoing_max = "0";
  std::string incoming_cps = "NULL";
  std::string rate_plan = "1";
  std::string currency = "USD";
};

class BillingWorld {
 public:
  explicit BillingWorld(const std::map<std::string, std::string>& environment = {});  // of billing, beside its settings here

  // Servers and the service.
  [[nodiscard]] testkit::ServiceProcess& billing() { return *billing_; }
  [[nodiscard]] testkit::RedisServer& redis() { return redis_; }
  [[nodiscard]] testkit::MariaDb& maria() { return config_.maria(); }
  // Between billing and MySQL.
  [[nodiscard]] TcpGate& mySqlGate() { return mysql_gate_; }
  [[nodiscard]] testkit::NatsServer& nats() { return config_.nats(); }
  [[nodiscard]] bus::Connection& events() { return *events_; }
  [[nodiscard]] redis::Client& redisClient() { return *redis_client_; }
  void stop();

  // Configuration. When these return, it is in force and the account is loaded.
  Party makeParty(const PartyOptions& options = {});
  Party makeCarrier(const std::string& outgoing_max = "NULL");
  [[nodiscard]] bool isInForce();
  // A change as admin_api makes it; in force when this returns.
  void save(std::string_view entity, std::int64_t id, const std::string& statements, std::string_view action = "saved");

  // Requests. pay() gives kUnavailable when billing answers that nothing was posted.
  [[nodiscard]] std::string newCall();
  template <class Def>
  [[nodiscard]] base::Result<typename Def::Reply> ask(const std::string& call, const typename Def::Request& request,
                                                      std::chrono::milliseconds limit = std::chrono::seconds(3)) {
    return client_->template wait<Def>(call, request, limit);
  }
  [[nodiscard]] base::Result<billing::v1::PostPaymentReply> pay(const Party& party, std::int64_t micros, const std::string& key,
                                                                billing::v1::MovementKind kind = billing::v1::MOVEMENT_KIND_PAYMENT,
                                                                std::chrono::milliseconds limit = std::chrono::seconds(3));
  [[nodiscard]] static billing::v1::ReserveRequest reserveRequest(const Party& party, const std::vector<Party>& carriers,
                                                                  const std::string& called = "37410123456");
  [[nodiscard]] base::Result<billing::v1::ReserveReply> reserve(const std::string& call, const Party& party,
                                                                const std::vector<Party>& carriers) {
    return ask<billing::v1::Billing::Reserve>(call, reserveRequest(party, carriers));
  }
  [[nodiscard]] base::Result<billing::v1::ExtendReply> extend(const std::string& call, const Party& party, const Party& carrier,
                                                              const common::v1::Rate& rate, std::uint32_t confirmed, std::uint32_t want,
                                                              std::uint32_t paid = 60);
  // The call of this record is over, says its ingress, and the record comes later or never. False: billing did not confirm it.
  [[nodiscard]] bool release(const std::string& call, const call::v1::CallRecord& record);
  [[nodiscard]] base::Result<billing::v1::BalanceReply> balance(const Party& party);
  [[nodiscard]] billing::v1::TrunkLoad load(const Party& party);

  // Records. The record is that of a call of `seconds` talk that was paid for; not answered when `seconds` is empty.
  [[nodiscard]] static call::v1::CallRecord record(const Party& party, const Party& carrier, const billing::v1::Reserved& reserved,
                                                   std::optional<std::int64_t> seconds);
  // Waits until the stream has it; gives its sequence there.
  std::uint64_t publish(const std::string& verb, const std::string& message_id, const std::string& data);
  std::uint64_t publishEnded(const std::string& call, const call::v1::CallRecord& record, const std::string& message_id = "");
  std::uint64_t publishRejected(const std::string& call, const call::v1::CallRecord& record);
  std::uint64_t publishAnswered(const std::string& call, const call::v1::CallRecord& record);

  // What the ingress of this world reports as live.
  void setLive(const std::string& call, const call::v1::CallRecord& record, std::int64_t held_micros);
  void endLive(const std::string& call);
  void clearLive();
  // It answers nothing, as if frozen or cut off.
  void setSilent(bool is_silent);
  // It announces itself, or that it has stopped for good.
  void announce(bool stopped);

  // The books.
  [[nodiscard]] std::int64_t number(const std::string& query);
  [[nodiscard]] std::string cdr(const std::string& call, const std::string& column);
  [[nodiscard]] std::vector<base::TraceStep> trace(const std::string& call);
  [[nodiscard]] std::int64_t cdrCount(const std::string& call);
  [[nodiscard]] bool waitCdr(const std::string& call, std::chrono::milliseconds limit = std::chrono::seconds(10));
  // Settled: no hold, no slot left.
  [[nodiscard]] bool waitIdle(const Party& party, std::chrono::milliseconds limit = std::chrono::seconds(10));
  // Compares entries with sums, charges with CDRs, and Redis with the ledger. Empty, or what does not agree.
  [[nodiscard]] std::string disagreement();

 private:
  void makeConfiguration();
  void answerReports();

  // Owned.
  DecisionWorld config_;
  testkit::RedisServer redis_;
  TcpGate mysql_gate_{config_.maria().port()};
  std::unique_ptr<testkit::ServiceProcess> billing_;
  std::unique_ptr<bus::Connection> events_;
  std::unique_ptr<bus::RpcClient> client_;
  std::unique_ptr<bus::RecordPublisher> publisher_;
  std::unique_ptr<redis::Client> redis_client_;
  std::optional<bus::Subscription> reports_;
  // Derived.
  base::SeededRandom random_{20261121};
  std::int64_t next_id_ = 100;
  std::map<std::int64_t, std::string> currencies_;  // of the customers
  std::mutex live_mutex_;                           // the subscription answers on a bus thread
  std::map<std::string, control::v1::LiveCall> live_;
  bool is_silent_ = false;  // under live_mutex_
  std::uint32_t sequence_ = 0;
};

// A suite that shares one world, started once. After each test the books must agree: CDRs, ledger and Redis (REQUIREMENTS 9.6).
class BillingSuite : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<BillingWorld>();
    carrier_ = world_->makeCarrier();
  }
  static void TearDownTestSuite() {
    if (world_) {
      EXPECT_EQ(world_->billing().stop(), 0);
      world_->stop();
    }
    world_.reset();
  }
  void TearDown() override {
    std::string difference;
    EXPECT_TRUE(testkit::waitUntil([&] { return (difference = world_->disagreement()).empty(); })) << difference;
  }

  static inline std::unique_ptr<BillingWorld> world_;
  static inline Party carrier_;
};

}  // namespace tollgate::component
