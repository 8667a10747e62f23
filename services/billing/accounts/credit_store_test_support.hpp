// A real Redis with the scripts, and short forms of their steps, for the tests of the credit store. The test's thread only.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

using base::CustomerId;
using base::TrunkId;
using std::chrono::milliseconds;

inline constexpr CustomerId kCustomer{1};
inline constexpr CustomerId kCarrier{2};
inline constexpr TrunkId kTrunk{10};
inline constexpr TrunkId kCarrierTrunk{20};
inline constexpr milliseconds kLease{400};
inline constexpr milliseconds kPromise{600};

class CreditStoreTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<testkit::RedisServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    redis::ClientSettings settings = testkit::settingsOf(*server_);
    settings.command_timeout = std::chrono::seconds(5);
    client_ = std::make_unique<redis::Client>(settings, scripts_.all());
    store_ = std::make_unique<CreditStore>(*client_, scripts_, StoreTimes{kLease, std::chrono::seconds(60), kLease});
    ASSERT_TRUE(testkit::waitUntil([&] { return client_->isConnected(); }));
    ASSERT_TRUE(client_->wait({"FLUSHALL"}).has_value());
  }
  void TearDown() override {
    // REQUIREMENTS 9.5: the kept sum is the sum of the holds after every test.
    for (const CustomerId customer : {kCustomer, kCarrier}) {
      EXPECT_EQ(await<std::int64_t>([&](auto then) { store_->audit(customer, then); }).value(), 0);
    }
  }

  template <class T>
  static base::Result<T> await(const std::function<void(Then<T>)>& begin) {
    auto promise = std::make_shared<std::promise<base::Result<T>>>();
    auto future = promise->get_future();
    begin([promise](base::Result<T> result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  void load(std::int64_t posted, std::int64_t version = 1, CustomerId customer = kCustomer) {
    AccountOrder order;
    order.customer = customer;
    order.posted_micros = posted;
    order.version = version;
    ASSERT_TRUE(store_->waitLoad(order).has_value());
  }
  static ReserveOrder order(const std::string& call, std::int64_t wanted = 60, std::int64_t least = 1) {
    ReserveOrder made;
    made.call = call;
    made.customer = kCustomer;
    made.trunk = kTrunk;
    made.floor_micros = 0;
    made.window = {wanted, wanted, 1'000'000, kPromise, kPromise};
    made.least_micros = least;
    made.instance = "ingress-1";
    made.record = "record";
    return made;
  }
  ReserveOutcome reserve(const ReserveOrder& wanted) {
    return await<ReserveOutcome>([&](auto then) { store_->reserve(wanted, then); }).value();
  }
  OccupyOutcome occupy(const std::string& call, std::optional<std::int64_t> limit, std::optional<std::int64_t> cps = std::nullopt) {
    return await<OccupyOutcome>([&](auto then) { store_->occupy(call, kCarrier, kCarrierTrunk, limit, cps, false, then); }).value();
  }
  // A heartbeat: the ingress counts on what `promised` pays.
  ExtendOutcome extend(const std::string& call, std::int64_t promised, std::int64_t wanted, std::int64_t confirmed_seconds = 0) {
    ExtendOrder made{
        call,        kCustomer,   kTrunk, std::int64_t{0}, promised, {wanted, wanted, 1'000'000, kPromise, kPromise}, confirmed_seconds,
        ++sequence_, "ingress-1", "again"};
    return extend(made);
  }
  ExtendOutcome extend(const ExtendOrder& made) {
    return await<ExtendOutcome>([&](auto then) { store_->extend(made, then); }).value();
  }
  void release(const std::string& call, std::int64_t charge) {
    ReleaseOrder made;
    made.call = call;
    made.customer = kCustomer;
    made.trunk = kTrunk;
    made.charge_micros = charge;
    EXPECT_EQ(await<ReleaseStatus>([&](auto then) { store_->release(made, then); }).value(), ReleaseStatus::kReleased);
  }
  ReleaseStatus releaseBeforeRecord(const std::string& call, std::int64_t charge, std::int64_t talked_seconds = 0) {
    const ReleaseOrder made{call, kCustomer, kTrunk, {{kCarrier, kCarrierTrunk}}, charge, true, talked_seconds};
    return await<ReleaseStatus>([&](auto then) { store_->release(made, then); }).value();
  }
  void settle(std::int64_t posted, std::int64_t version, const std::vector<std::string>& calls) {
    SettleOrder made{kCustomer, posted, version, {}};
    for (const std::string& call : calls) {
      made.calls.push_back({call, kTrunk});
    }
    ASSERT_TRUE(store_->waitSettle(made).has_value());
  }
  AccountView view() {
    return await<AccountView>([&](auto then) { store_->readAccount(kCustomer, kTrunk, then); }).value();
  }
  std::int64_t outgoingInUse() {
    return await<std::int64_t>([&](auto then) { store_->count(keys::outgoing(kCarrier, kCarrierTrunk), then); }).value();
  }

  static inline std::unique_ptr<testkit::RedisServer> server_;
  std::uint32_t sequence_ = 0;
  const Scripts scripts_;
  std::unique_ptr<redis::Client> client_;
  std::unique_ptr<CreditStore> store_;
};

}  // namespace tollgate::billing
