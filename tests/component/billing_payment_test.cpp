// PostPayment of tollgate-billing when its answer is lost or late (REQUIREMENTS 1.8): one movement per key, and no wrong statement about
// it.
#include <csignal>

#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::milliseconds;
using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingPayment : public BillingSuite {
 protected:
  static std::int64_t movements(const Party& party) {
    return world_->number("SELECT COUNT(*) FROM ledger_entries WHERE line = 1 AND transfer_id LIKE 'pay:" + std::to_string(party.customer) +
                          ":%'");
  }
};

// The COMMIT reaches MySQL and its answer is lost: the ledger says what happened, so the reply is not an error.
TEST_F(BillingPayment, ALostAnswerToCommitIsLookedUpInTheLedger) {
  const Party party = world_->makeParty();
  const int cuts = world_->mySqlGate().cuts();
  world_->mySqlGate().cutAfter("COMMIT");
  const auto posted = world_->pay(party, 5 * kUnit, "lost");
  ASSERT_EQ(world_->mySqlGate().cuts(), cuts + 1);
  ASSERT_TRUE(posted.has_value()) << posted.error().message;
  EXPECT_EQ(posted->balance().micros(), 5 * kUnit);
  EXPECT_EQ(movements(party), 1);
  EXPECT_EQ(world_->balance(party)->posted().micros(), 5 * kUnit) << "Redis has it too";
  EXPECT_TRUE(world_->pay(party, 5 * kUnit, "lost")->existed());
  EXPECT_EQ(world_->pay(party, 6 * kUnit, "lost").error().message, "idempotency_key: was already used for a different movement");
  EXPECT_EQ(movements(party), 1);
}

// Billing stands still longer than the caller waits: what it reads afterwards is not posted, because nobody waits for it.
TEST_F(BillingPayment, ARequestThatIsReadAfterItsDeadlineIsNotPosted) {
  const Party party = world_->makeParty();
  world_->billing().signal(SIGSTOP);
  const auto asked = std::chrono::steady_clock::now();
  const auto unknown = world_->pay(party, kUnit, "frozen", billing::v1::MOVEMENT_KIND_PAYMENT, milliseconds(300));
  // A service that stood still dates its requests only as exactly as its round trips to the bus: the stop is longer than that.
  EXPECT_TRUE(waitUntil([&] { return std::chrono::steady_clock::now() > asked + std::chrono::seconds(2); }));
  world_->billing().signal(SIGCONT);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, base::ErrorCode::kTimeout);
  const auto other = world_->pay(party, 2 * kUnit, "after");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ(movements(party), 1) << "the requests are read in their order, so the first one has been passed over";
  EXPECT_FALSE(world_->pay(party, kUnit, "frozen")->existed());
  EXPECT_EQ(world_->balance(party)->posted().micros(), 3 * kUnit);
}

// A lock in MySQL delays the posting beyond the deadline: it is rolled back.
TEST_F(BillingPayment, AMovementIsNotCommittedAfterTheDeadline) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  sql::Pool pool(testkit::settingsOf(world_->maria()));
  const std::string account = "customer:" + std::to_string(party.customer);
  const auto blocked = pool.transaction<std::uint64_t>([&](sql::Session& session) -> base::Result<std::uint64_t> {
    TG_TRY_ASSIGN(locked, session.execute("UPDATE accounts SET currency = currency WHERE account = ?", {account}));
    TG_TRY(session.query("SELECT * FROM accounts WHERE account = ? FOR UPDATE", {account}));
    const auto late = world_->pay(party, kUnit, "late", billing::v1::MOVEMENT_KIND_PAYMENT, milliseconds(400));
    EXPECT_FALSE(late.has_value());
    return locked;
  });
  ASSERT_TRUE(blocked.has_value()) << blocked.error().message;
  EXPECT_TRUE(waitUntil([&] { return world_->billing().metric(R"(tollgate_billing_payments_total{outcome="failed"})").value_or(0) >= 1; }));
  EXPECT_EQ(movements(party), 1);
  EXPECT_FALSE(world_->pay(party, kUnit, "late")->existed());
  EXPECT_EQ(world_->balance(party)->posted().micros(), 2 * kUnit);
}

// MySQL is away: billing says that nothing was posted, which is certain.
TEST_F(BillingPayment, AnAbsentStoreIsACertainNo) {
  const Party party = world_->makeParty();
  world_->maria().kill();
  const auto refused = world_->pay(party, kUnit, "away");
  world_->maria().start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kUnavailable) << refused.error().message;
  EXPECT_TRUE(waitUntil([&] { return world_->pay(party, kUnit, "away").has_value(); }));
  EXPECT_EQ(movements(party), 1);
}

}  // namespace
}  // namespace tollgate::component
