// The Lua scripts against a real Redis: money and capacity step by step.
#include "services/billing/accounts/credit_store.hpp"

#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"
#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {
namespace {

using base::CustomerId;
using base::TrunkId;
using std::chrono::milliseconds;

constexpr CustomerId kCustomer{1};
constexpr CustomerId kCarrier{2};
constexpr TrunkId kTrunk{10};
constexpr TrunkId kCarrierTrunk{20};
constexpr milliseconds kLease{400};

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
    made.wanted_micros = wanted;
    made.least_micros = least;
    made.record = "record";
    return made;
  }
  ReserveOutcome reserve(const ReserveOrder& wanted) {
    return await<ReserveOutcome>([&](auto then) { store_->reserve(wanted, then); }).value();
  }
  OccupyOutcome occupy(const std::string& call, std::optional<std::int64_t> limit, std::optional<std::int64_t> cps = std::nullopt) {
    return await<OccupyOutcome>([&](auto then) { store_->occupy(call, kCarrier, kCarrierTrunk, limit, cps, then); }).value();
  }
  ExtendOutcome extend(const std::string& call, std::int64_t wanted, std::int64_t confirmed_seconds = 0, std::int64_t cost = 0,
                       std::int64_t if_lost = 0) {
    ExtendOrder made{call, kCustomer, kTrunk, std::int64_t{0}, wanted, confirmed_seconds, cost, "again", if_lost};
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
  const Scripts scripts_;
  std::unique_ptr<redis::Client> client_;
  std::unique_ptr<CreditStore> store_;
};

// REQUIREMENTS 9.4: an account that is not there admits nobody.
TEST_F(CreditStoreTest, ReserveSaysMissingWithoutAnAccount) {
  EXPECT_EQ(reserve(order("a")).status, ReserveStatus::kMissing);
  EXPECT_EQ(extend("a", 10).status, ExtendStatus::kMissing);
  EXPECT_FALSE(view().found);
}

// REQUIREMENTS 9.1: at most what is available after the other holds.
TEST_F(CreditStoreTest, ReserveHoldsAtMostWhatIsAvailable) {
  load(100);
  EXPECT_EQ(reserve(order("a", 60)).granted_micros, 60);
  const ReserveOutcome second = reserve(order("b", 60));
  EXPECT_EQ(second.status, ReserveStatus::kGranted);
  EXPECT_EQ(second.granted_micros, 40);
  EXPECT_EQ(second.held_before_micros, 60);
  EXPECT_EQ(reserve(order("c", 60)).status, ReserveStatus::kNoCredit);
  EXPECT_EQ(view().held_micros, 100);
  EXPECT_EQ(view().live_holds, 2);
}

// REQUIREMENTS 9.1: not enough for the first block.
TEST_F(CreditStoreTest, ReserveRefusesWhenTheFirstBlockIsNotCovered) {
  load(9);
  EXPECT_EQ(reserve(order("a", 60, 10)).status, ReserveStatus::kNoCredit);
  EXPECT_EQ(reserve(order("b", 60, 9)).status, ReserveStatus::kGranted);
}

// REQUIREMENTS 1.2: prepaid needs more than 0 even for a free rate; postpaid does not.
TEST_F(CreditStoreTest, PrepaidNeedsMoreThanZeroEvenForAFreeRate) {
  load(0);
  ReserveOrder free = order("a", 0, 0);
  EXPECT_EQ(reserve(free).status, ReserveStatus::kNoCredit);
  free.prepaid = false;
  EXPECT_EQ(reserve(free).status, ReserveStatus::kGranted);
}

// REQUIREMENTS 1.3: down to the floor, and without one for ever.
TEST_F(CreditStoreTest, PostpaidGoesDownToItsFloor) {
  load(0);
  ReserveOrder postpaid = order("a", 60);
  postpaid.prepaid = false;
  postpaid.floor_micros = -70;
  EXPECT_EQ(reserve(postpaid).granted_micros, 60);
  postpaid.call = "b";
  EXPECT_EQ(reserve(postpaid).granted_micros, 10);
  postpaid.call = "c";
  EXPECT_EQ(reserve(postpaid).status, ReserveStatus::kNoCredit);
  postpaid.floor_micros = std::nullopt;
  EXPECT_EQ(reserve(postpaid).granted_micros, 60);
}

// REQUIREMENTS 2.1: the cap, and nothing kept of a refused call.
TEST_F(CreditStoreTest, ReserveStopsAtTheIncomingCap) {
  load(1000);
  ReserveOrder capped = order("a", 60);
  capped.incoming_max = 2;
  EXPECT_EQ(reserve(capped).slots_in_use, 1);
  capped.call = "b";
  EXPECT_EQ(reserve(capped).slots_in_use, 2);
  capped.call = "c";
  EXPECT_EQ(reserve(capped).status, ReserveStatus::kNoSlot);
  EXPECT_EQ(view().held_micros, 120);
  release("a", 0);
  EXPECT_EQ(reserve(capped).status, ReserveStatus::kGranted);
}

TEST_F(CreditStoreTest, CallsPerSecondAreCountedPerTrunkAndRefusedCallsAreNot) {
  load(1000);
  ReserveOrder limited = order("a", 1);
  limited.cps_max = 3;
  std::int64_t granted = 0;
  std::int64_t refused = 0;
  // More than one second's worth at once; a second may begin meanwhile, so at most two buckets are met.
  for (int i = 0; i < 20; ++i) {
    limited.call = "call" + std::to_string(i);
    (reserve(limited).status == ReserveStatus::kGranted ? granted : refused) += 1;
  }
  EXPECT_GE(granted, 3);
  EXPECT_LE(granted, 6);
  EXPECT_EQ(granted + refused, 20);
  EXPECT_EQ(view().live_holds, granted);
}

// REQUIREMENTS 9.3: idempotent by call id.
TEST_F(CreditStoreTest, ReserveReplayedGivesTheSameGrant) {
  load(100);
  EXPECT_EQ(reserve(order("a", 60)).granted_micros, 60);
  const ReserveOutcome replay = reserve(order("a", 90));
  EXPECT_EQ(replay.status, ReserveStatus::kReplay);
  EXPECT_EQ(replay.granted_micros, 60);
  EXPECT_EQ(view().held_micros, 60);
  EXPECT_EQ(view().slots_in_use, 1);
}

// REQUIREMENTS 9.3: a late request does not bring an ended call back.
TEST_F(CreditStoreTest, NothingBringsAnEndedCallBack) {
  load(100);
  release("a", 0);
  EXPECT_EQ(reserve(order("a")).status, ReserveStatus::kEnded);
  reserve(order("b"));
  settle(90, 2, {"b"});
  EXPECT_EQ(extend("b", 80).status, ExtendStatus::kEnded);
  EXPECT_EQ(reserve(order("b")).status, ReserveStatus::kEnded);
  EXPECT_EQ(view().held_micros, 0);
  EXPECT_EQ(view().slots_in_use, 0);
}

// REQUIREMENTS 9.2: a total, so a replay changes nothing; refused beyond what is available.
TEST_F(CreditStoreTest, ExtendRaisesTheHoldToATotal) {
  load(100);
  reserve(order("a", 60));
  EXPECT_EQ(extend("a", 80).held_micros, 80);
  EXPECT_EQ(extend("a", 80).held_micros, 80);
  EXPECT_EQ(extend("a", 140).held_micros, 100);
  EXPECT_EQ(extend("a", 50).held_micros, 100);
  EXPECT_EQ(view().held_micros, 100);
}

// REQUIREMENTS 9.5: what Redis lost of a living call is made again by its heartbeat.
TEST_F(CreditStoreTest, ExtendMakesALostHoldAgain) {
  load(100);
  EXPECT_EQ(extend("a", 0, 5, 20, 30).held_micros, 30);
  EXPECT_EQ(extend("a", 0, 6, 21, 99).held_micros, 30);  // it is there now
  EXPECT_EQ(view().held_micros, 30);
  EXPECT_EQ(view().slots_in_use, 1);
  // What was talked is held even beyond the balance.
  EXPECT_EQ(extend("b", 200, 20, 150).held_micros, 150);
  EXPECT_EQ(view().held_micros, 180);
}

TEST_F(CreditStoreTest, ReleaseKeepsOnlyTheChargeUntilTheSettlement) {
  load(100);
  reserve(order("a", 60));
  release("a", 25);
  EXPECT_EQ(view().held_micros, 25);
  EXPECT_EQ(view().slots_in_use, 0);
  EXPECT_EQ(extend("a", 90).status, ExtendStatus::kEnded);
  settle(75, 2, {"a"});
  EXPECT_EQ(view().held_micros, 0);
  EXPECT_EQ(view().posted_micros, 75);
}

// REQUIREMENTS 9.3: settling twice, or in the wrong order, heals instead of doubling.
TEST_F(CreditStoreTest, SettleIsAbsoluteAndTheNewerVersionWins) {
  load(100);
  reserve(order("a", 60));
  settle(40, 3, {"a"});
  settle(70, 2, {"a"});
  settle(40, 3, {"a"});
  EXPECT_EQ(view().posted_micros, 40);
  EXPECT_EQ(view().held_micros, 0);
}

TEST_F(CreditStoreTest, AHoldOfNothingSettlesToo) {
  load(100);
  reserve(order("free", 0, 0));
  settle(100, 2, {"free"});
  EXPECT_EQ(view().live_holds, 0);
}

// REQUIREMENTS 9.4: a commit between the ledger's reading and the account's writing is not lost.
TEST_F(CreditStoreTest, LoadTakesTheNewerOfTwoLedgerValues) {
  settle(40, 5, {});
  load(70, 4);
  EXPECT_EQ(view().posted_micros, 40);
}

TEST_F(CreditStoreTest, LoadRestoresLiveCallsButNotEndedOnes) {
  settle(70, 3, {"ended"});
  AccountOrder made;
  made.customer = kCustomer;
  made.posted_micros = 100;
  made.version = 2;
  made.holds = {{"talking", kTrunk, 30, 4, true, "s"}, {"ended", kTrunk, 20, 4, true, "s"}, {"ending", kTrunk, 7, 4, false, "s"}};
  made.outgoing = {{"other", kCarrierTrunk}};
  ASSERT_TRUE(store_->waitLoad(made).has_value());
  EXPECT_EQ(view().posted_micros, 70);
  EXPECT_EQ(view().held_micros, 37);
  EXPECT_EQ(view().slots_in_use, 1);
  EXPECT_EQ(extend("talking", 0).held_micros, 30);
  EXPECT_EQ(await<std::int64_t>([&](auto then) { store_->count(keys::outgoing(kCustomer, kCarrierTrunk), then); }).value(), 1);
  // A second loader comes too late.
  made.posted_micros = 1;
  made.version = 9;
  ASSERT_TRUE(store_->waitLoad(made).has_value());
  EXPECT_EQ(view().posted_micros, 70);
}

// REQUIREMENTS 5.1: a carrier's slots.
TEST_F(CreditStoreTest, OccupyStopsAtTheOutgoingCap) {
  EXPECT_EQ(occupy("a", 1).status, OccupyStatus::kMissing);
  load(0, 0, kCarrier);
  EXPECT_EQ(occupy("a", 1).status, OccupyStatus::kTaken);
  EXPECT_EQ(occupy("a", 1).status, OccupyStatus::kReplay);
  EXPECT_EQ(occupy("b", 1).status, OccupyStatus::kNoSlot);
  ASSERT_TRUE(await<void>([&](auto then) { store_->vacate("a", kCarrier, kCarrierTrunk, then); }).has_value());
  EXPECT_EQ(occupy("b", 1, 0).status, OccupyStatus::kCpsLimit);
  EXPECT_EQ(occupy("b", 1).status, OccupyStatus::kTaken);
  EXPECT_TRUE(await<bool>([&](auto then) { store_->usesSlot("b", kCarrier, kCarrierTrunk, then); }).value());
  EXPECT_FALSE(await<bool>([&](auto then) { store_->usesSlot("a", kCarrier, kCarrierTrunk, then); }).value());
}

// REQUIREMENTS 9.5: slots and holds are leases.
TEST_F(CreditStoreTest, ALeaseThatNobodyKeepsEnds) {
  load(1000);
  load(0, 0, kCarrier);
  ReserveOrder capped = order("a", 60);
  capped.incoming_max = 1;
  reserve(capped);
  occupy("a", 1);
  store_->noteAnswered("a", kCustomer, 77);
  extend("a", 0, 12, 20);
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kAlive);
  ASSERT_TRUE(testkit::waitUntil([&] { return view().slots_in_use == 0 && outgoingInUse() == 0; }));
  const LeaseOutcome lost = store_->waitExpire("a", kCustomer, kLease).value();
  EXPECT_EQ(lost.status, LeaseStatus::kLost);
  EXPECT_EQ(lost.confirmed_seconds, 12);
  EXPECT_EQ(lost.answered_sequence, 77U);
  EXPECT_EQ(lost.record, "record");
  // Claimed: nobody else closes it meanwhile.
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kAlive);
  EXPECT_EQ(view().held_micros, 60);
  settle(940, 2, {"a"});
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kGone);
  capped.call = "b";
  EXPECT_EQ(reserve(capped).status, ReserveStatus::kGranted);
  EXPECT_EQ(occupy("b", 1).status, OccupyStatus::kTaken);
}

TEST_F(CreditStoreTest, AReleasedHoldIsNoLeaseAnyMore) {
  load(100);
  reserve(order("a", 60));
  release("a", 25);
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kOver);
}

// The ingress says that the call is over before its record can arrive: slots are free, the charge stays held, once, whatever is repeated.
TEST_F(CreditStoreTest, ReleaseBeforeTheRecordFreesTheSlotsAndKeepsTheCharge) {
  load(100);
  load(0, 0, kCarrier);
  reserve(order("a", 60));
  occupy("a", 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(releaseBeforeRecord("a", 25, 5), ReleaseStatus::kReleased);
    EXPECT_EQ(view().held_micros, 25);
    EXPECT_EQ(view().slots_in_use, 0);
    EXPECT_EQ(outgoingInUse(), 0);
  }
  // What is available is spent by another call; the record of this one finds its charge held.
  EXPECT_EQ(reserve(order("b", 90)).granted_micros, 75);
  EXPECT_EQ(extend("a", 90).status, ExtendStatus::kEnded);
  release("a", 25);
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kOver);
  EXPECT_EQ(view().held_micros, 100);
  settle(75, 2, {"a"});
  EXPECT_EQ(view().held_micros, 75);
  EXPECT_EQ(releaseBeforeRecord("a", 25, 5), ReleaseStatus::kReleased);
  EXPECT_EQ(view().held_micros, 75);
  EXPECT_EQ(view().live_holds, 1);
}

TEST_F(CreditStoreTest, ReleaseAfterTheRecordSetsNoLease) {
  load(100);
  reserve(order("a", 60));
  release("a", 25);
  EXPECT_EQ(releaseBeforeRecord("a", 25, 5), ReleaseStatus::kReleased);
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kOver);
  EXPECT_EQ(view().held_micros, 25);
}

// The disk of the ingress is lost with the record: the call is closed with the seconds talked, also one that costs nothing.
TEST_F(CreditStoreTest, AReleasedCallWhoseRecordNeverComesIsClosedWithItsTalkedTime) {
  load(100);
  reserve(order("a", 60));
  reserve(order("unanswered", 30));
  extend("a", 0, 3, 15);
  releaseBeforeRecord("a", 25, 5);
  releaseBeforeRecord("unanswered", 0);
  EXPECT_EQ(view().held_micros, 25);
  EXPECT_EQ(store_->waitExpire("a", kCustomer, kLease).value().status, LeaseStatus::kAlive);
  LeaseOutcome lost;
  ASSERT_TRUE(testkit::waitUntil([&] { return (lost = store_->waitExpire("a", kCustomer, kLease).value()).status == LeaseStatus::kLost; }));
  EXPECT_EQ(lost.confirmed_seconds, 5);
  EXPECT_EQ(lost.record, "record");
  ASSERT_TRUE(testkit::waitUntil(
      [&] { return (lost = store_->waitExpire("unanswered", kCustomer, kLease).value()).status == LeaseStatus::kLost; }));
  EXPECT_EQ(lost.confirmed_seconds, 0);
  settle(75, 2, {"a", "unanswered"});
  EXPECT_EQ(view().held_micros, 0);
}

TEST_F(CreditStoreTest, ReleaseBeforeTheRecordMakesNothingOfWhatIsNotThere) {
  EXPECT_EQ(releaseBeforeRecord("a", 25, 5), ReleaseStatus::kMissing);
  load(100);
  EXPECT_EQ(releaseBeforeRecord("unknown", 25, 5), ReleaseStatus::kReleased);
  EXPECT_EQ(view().held_micros, 0);
  EXPECT_EQ(view().live_holds, 0);
  // While the account was missing nothing was marked: it is rebuilt with the hold of the ended call.
  EXPECT_EQ(reserve(order("a", 60)).status, ReserveStatus::kGranted);
}

TEST_F(CreditStoreTest, DueLeasesAreListedUntilForgotten) {
  load(100);
  reserve(order("a", 60));
  constexpr std::int64_t kFar = 99'999'999'999'999;
  EXPECT_EQ(store_->waitDueLeases(kFar, 10).value(), std::vector<std::string>{"1:a"});
  EXPECT_TRUE(store_->waitDueLeases(1, 10).value().empty());
  ASSERT_TRUE(store_->waitSetLease("1:a", std::nullopt).has_value());
  EXPECT_TRUE(store_->waitDueLeases(kFar, 10).value().empty());
}

// REQUIREMENTS 9.5: drift is seen and repaired.
TEST_F(CreditStoreTest, AuditFindsAHeldSumThatIsOff) {
  load(100);
  reserve(order("a", 60));
  ASSERT_TRUE(client_->wait({"HINCRBY", keys::account(kCustomer), "held", "5"}).has_value());
  EXPECT_EQ(await<std::int64_t>([&](auto then) { store_->audit(kCustomer, then); }).value(), 5);
  EXPECT_EQ(view().held_micros, 60);
}

TEST_F(CreditStoreTest, MissingAccountsAreListed) {
  load(1);
  EXPECT_EQ(store_->waitMissing({kCustomer, kCarrier}).value(), std::vector<CustomerId>{kCarrier});
}

// REQUIREMENTS 9.2: whatever the interleaving, holds never go beyond the allowance.
TEST_F(CreditStoreTest, ManyReservesAtTheSameTimeNeverHoldMoreThanTheBalance) {
  load(1'000);
  std::vector<std::future<base::Result<ReserveOutcome>>> waiting;
  for (int i = 0; i < 200; ++i) {
    auto promise = std::make_shared<std::promise<base::Result<ReserveOutcome>>>();
    waiting.push_back(promise->get_future());
    store_->reserve(order("call" + std::to_string(i), 60, 30), [promise](auto outcome) { promise->set_value(std::move(outcome)); });
  }
  std::int64_t granted = 0;
  for (auto& one : waiting) {
    const auto outcome = one.get();
    granted += outcome->status == ReserveStatus::kGranted ? outcome->granted_micros : 0;
  }
  EXPECT_EQ(granted, 1'000);  // sixteen times 60, then 40
  EXPECT_EQ(view().held_micros, 1'000);
}

}  // namespace
}  // namespace tollgate::billing
