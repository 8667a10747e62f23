// A call is over before its record can arrive, against a real Redis.
#include <gtest/gtest.h>

#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/credit_store_test_support.hpp"

namespace tollgate::billing {
namespace {

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
  EXPECT_EQ(extend("a", 60, 90).status, ExtendStatus::kEnded);
  release("a", 25);
  EXPECT_EQ(store_->waitExamine("a", kCustomer).value().status, HoldStatus::kBooked);
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
  EXPECT_EQ(store_->waitExamine("a", kCustomer).value().status, HoldStatus::kBooked);
  EXPECT_EQ(view().held_micros, 25);
}

// The disk of the ingress is lost with the record: the call is closed with the seconds talked, also one that costs nothing.
TEST_F(CreditStoreTest, AReleasedCallWhoseRecordNeverComesIsClosedWithItsTalkedTime) {
  load(100);
  reserve(order("a", 60));
  reserve(order("unanswered", 30));
  extend("a", 60, 60, 3);
  releaseBeforeRecord("a", 25, 5);
  releaseBeforeRecord("unanswered", 0);
  EXPECT_EQ(view().held_micros, 25);
  for (const auto& [call, talked] : {std::pair("a", 5), std::pair("unanswered", 0)}) {
    const HoldView seen = store_->waitExamine(call, kCustomer).value();
    EXPECT_EQ(seen.status, HoldStatus::kHeld) << call;
    EXPECT_EQ(seen.confirmed_seconds, talked) << call;
    EXPECT_EQ(seen.record, "record") << call;
  }
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

}  // namespace
}  // namespace tollgate::billing
