// The Lua scripts against a real Redis: money and capacity step by step.
#include "services/billing/accounts/credit_store.hpp"

#include <gtest/gtest.h>

#include "services/billing/accounts/credit_store_test_support.hpp"

namespace tollgate::billing {
namespace {

// REQUIREMENTS 9.4: an account that is not there admits nobody.
TEST_F(CreditStoreTest, ReserveSaysMissingWithoutAnAccount) {
  EXPECT_EQ(reserve(order("a")).status, ReserveStatus::kMissing);
  EXPECT_EQ(extend("a", 10, 10).status, ExtendStatus::kMissing);
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
  EXPECT_EQ(extend("b", 80, 80).status, ExtendStatus::kEnded);
  EXPECT_EQ(reserve(order("b")).status, ReserveStatus::kEnded);
  EXPECT_EQ(view().held_micros, 0);
  EXPECT_EQ(view().slots_in_use, 0);
}

// REQUIREMENTS 9.2: a total, so a replay changes nothing; at most what is available.
TEST_F(CreditStoreTest, ExtendRaisesTheHoldToATotal) {
  load(100);
  reserve(order("a", 60));
  EXPECT_EQ(extend("a", 60, 80).held_micros, 80);
  EXPECT_EQ(extend("a", 60, 80).held_micros, 80);
  const ExtendOutcome partly = extend("a", 80, 140);
  EXPECT_EQ(partly.held_micros, 100);
  EXPECT_EQ(partly.due_micros, 100);
  EXPECT_EQ(view().held_micros, 100);
}

// REQUIREMENTS 9.1: a customer with plenty is granted a window that outlasts an outage, but only a share of what is available.
TEST_F(CreditStoreTest, AWindowIsAShareOfWhatIsAvailable) {
  load(100'000'000);
  ReserveOrder plenty = order("plenty", 60);
  plenty.window = {60, 1860, 50'000, kPromise, kPromise};
  EXPECT_EQ(reserve(plenty).granted_micros, 1860);
  ReserveOrder share = order("share", 60);
  share.window = {60, 90'000'000, 50'000, kPromise, kPromise};
  EXPECT_EQ(reserve(share).granted_micros, 4'950'000);  // 5 % of the 99 whole units
  share.call = "unlimited";
  share.floor_micros.reset();
  EXPECT_EQ(reserve(share).granted_micros, 90'000'000);
}

// The hold shrinks only when the ingress itself counts on less: a lost answer leaves no talking time without money.
TEST_F(CreditStoreTest, AWindowIsGivenBackOnlyWhenTheIngressNamesLess) {
  load(100'000'000);
  ReserveOrder plenty = order("a", 60);
  plenty.window = {60, 1860, 50'000, kPromise, kPromise};
  reserve(plenty);
  settle(1'000'000, 2, {});  // the balance falls: the share is 50'000 ppm of 1 unit
  ExtendOrder heartbeat{"a", kCustomer, kTrunk,      std::int64_t{0}, 1860, {80, 1'880'000, 50, kPromise, kPromise},
                        20,  1,         "ingress-1", "again"};
  ExtendOutcome outcome = extend(heartbeat);
  EXPECT_EQ(outcome.held_micros, 1860);
  EXPECT_EQ(outcome.due_micros, 80);
  heartbeat.promised_micros = 80;
  heartbeat.sequence = 2;
  EXPECT_EQ(extend(heartbeat).held_micros, 80);
  heartbeat.promised_micros = 1860;  // the first request, late
  heartbeat.sequence = 1;
  EXPECT_EQ(extend(heartbeat).held_micros, 80);
  EXPECT_EQ(view().held_micros, 80);
}

// A duplicate names what was promised before the first reply: it must not take back what that reply promised.
TEST_F(CreditStoreTest, ADuplicateOfAnExtensionTakesNothingBack) {
  load(1000);
  reserve(order("a", 60));
  const ExtendOrder heartbeat{"a", kCustomer, kTrunk,      std::int64_t{0}, 60, {500, 500, 1'000'000, kPromise, kPromise},
                              20,  1,         "ingress-1", "again"};
  EXPECT_EQ(extend(heartbeat).held_micros, 500);
  settle(100, 2, {});
  EXPECT_EQ(extend(heartbeat).held_micros, 500);
  EXPECT_EQ(view().held_micros, 500);
}

// REQUIREMENTS 9.5: what Redis lost of a living call is made again by its heartbeat, all that was promised, whatever the balance is.
TEST_F(CreditStoreTest, ExtendMakesALostHoldAgainWhole) {
  load(100);
  EXPECT_EQ(extend("a", 30, 30, 5).held_micros, 30);
  EXPECT_EQ(view().slots_in_use, 1);
  EXPECT_EQ(extend("b", 150, 200, 20).held_micros, 150);
  EXPECT_EQ(view().held_micros, 180);
}

// Beyond 2^53 Lua's numbers are not exact: what is available is rounded down.
TEST_F(CreditStoreTest, NothingIsOversoldBeyondWhatADoubleCounts) {
  constexpr std::int64_t kFloor = 1'000'000'000'000'000'000;  // 10^12 units
  load(kFloor + 63);
  ReserveOrder all = order("a", 64);
  all.floor_micros = kFloor;
  EXPECT_EQ(reserve(all).status, ReserveStatus::kNoCredit);
  settle(kFloor + 40'000'000'000'000, 2, {});
  all.window = {50'000'000'000'000, 50'000'000'000'000, 1'000'000, kPromise, kPromise};
  const std::int64_t granted = reserve(all).granted_micros;
  EXPECT_LE(granted, 40'000'000'000'000);
  EXPECT_GT(granted, 39'999'999'990'000);
  EXPECT_EQ(view().held_micros, granted);
}

TEST_F(CreditStoreTest, ReleaseKeepsOnlyTheChargeUntilTheSettlement) {
  load(100);
  reserve(order("a", 60));
  release("a", 25);
  EXPECT_EQ(view().held_micros, 25);
  EXPECT_EQ(view().slots_in_use, 0);
  EXPECT_EQ(extend("a", 60, 90).status, ExtendStatus::kEnded);
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
  const auto hold = [](const std::string& call, std::int64_t amount, bool uses_slot) {
    return AccountOrder::Hold{call, kTrunk, amount, 4, uses_slot, kPromise, "ingress-1", "s"};
  };
  made.holds = {hold("talking", 30, true), hold("ended", 20, true), hold("ending", 7, false)};
  made.outgoing = {{"other", kCarrierTrunk}};
  ASSERT_TRUE(store_->waitLoad(made).has_value());
  EXPECT_EQ(view().posted_micros, 70);
  EXPECT_EQ(view().held_micros, 37);
  EXPECT_EQ(view().slots_in_use, 1);
  EXPECT_EQ(extend("talking", 30, 30).held_micros, 30);
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

// A call that ends while its account is missing leaves its charge in the ended mark.
TEST_F(CreditStoreTest, LoadHoldsTheChargeOfACallThatEndedMeanwhile) {
  release("ended", 25);
  AccountOrder made;
  made.customer = kCustomer;
  made.posted_micros = 100;
  made.version = 2;
  made.holds = {{"ended", kTrunk, 60, 4, true, kPromise, "ingress-1", "s"}};
  ASSERT_TRUE(store_->waitLoad(made).has_value());
  EXPECT_EQ(view().held_micros, 25);
  EXPECT_EQ(view().slots_in_use, 0);
  EXPECT_EQ(store_->waitExamine("ended", kCustomer).value().status, HoldStatus::kBooked);
  settle(75, 3, {"ended"});
  EXPECT_EQ(view().held_micros, 0);
  EXPECT_EQ(view().posted_micros, 75);
}

// REQUIREMENTS 9.5: slots are leases; a hold stays, and says how long its call is silent and what it was promised.
TEST_F(CreditStoreTest, SlotsEndWithoutAHeartbeatAndTheHoldStays) {
  load(1000);
  load(0, 0, kCarrier);
  ReserveOrder capped = order("a", 60);
  capped.incoming_max = 1;
  reserve(capped);
  occupy("a", 1);
  store_->noteAnswered("a", kCustomer, "answered record");
  extend("a", 60, 60, 12);
  const HoldView before = store_->waitExamine("a", kCustomer).value();
  EXPECT_LT(before.silent_for, before.promised_for);
  ASSERT_TRUE(testkit::waitUntil([&] { return view().slots_in_use == 0 && outgoingInUse() == 0; }));
  HoldView seen;
  ASSERT_TRUE(testkit::waitUntil([&] { return (seen = store_->waitExamine("a", kCustomer).value()).promised_for <= milliseconds(0); }));
  EXPECT_EQ(seen.status, HoldStatus::kHeld);
  EXPECT_GE(seen.silent_for, kPromise);
  EXPECT_EQ(seen.confirmed_seconds, 12);
  EXPECT_EQ(seen.instance, "ingress-1");
  EXPECT_EQ(seen.record, "answered record");
  EXPECT_EQ(view().held_micros, 60);
  settle(940, 2, {"a"});
  EXPECT_EQ(store_->waitExamine("a", kCustomer).value().status, HoldStatus::kGone);
  capped.call = "b";
  EXPECT_EQ(reserve(capped).status, ReserveStatus::kGranted);
  EXPECT_EQ(occupy("b", 1).status, OccupyStatus::kTaken);
}

TEST_F(CreditStoreTest, AReleasedHoldIsBooked) {
  load(100);
  reserve(order("a", 60));
  release("a", 25);
  EXPECT_EQ(store_->waitExamine("a", kCustomer).value().status, HoldStatus::kBooked);
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

// REQUIREMENTS 9.5: drift is seen. It is not repaired, because it is a defect.
TEST_F(CreditStoreTest, AuditFindsAHeldSumThatIsOff) {
  load(100);
  reserve(order("a", 60));
  ASSERT_TRUE(client_->wait({"HINCRBY", keys::account(kCustomer), "held", "5"}).has_value());
  EXPECT_EQ(await<std::int64_t>([&](auto then) { store_->audit(kCustomer, then); }).value(), 5);
  EXPECT_EQ(view().held_micros, 65);
  ASSERT_TRUE(client_->wait({"HINCRBY", keys::account(kCustomer), "held", "-5"}).has_value());
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
