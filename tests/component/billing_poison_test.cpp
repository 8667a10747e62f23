// tollgate-billing when MySQL refuses to store records. Only an error of the row's own values makes a dead letter; with every other error
// the records wait and nothing is acknowledged (REQUIREMENTS 10.7). After each test the books agree.
#include <gtest/gtest.h>

#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using std::chrono::seconds;
using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingPoison : public BillingSuite {
 protected:
  // Billing runs with a user of its own, so that a right can be taken from it.
  static void SetUpTestSuite() {
    BillingSuite::SetUpTestSuite();
    std::string grants = "CREATE USER 'books'@'%' IDENTIFIED BY 'tollgate'; GRANT SELECT ON tollgate.* TO 'books'@'%';";
    for (const char* table : {"accounts", "ledger_entries", "cdrs", "cdr_attempts", "cdr_traces", "unknown_sources", "dead_letters"}) {
      grants += "GRANT INSERT, UPDATE, DELETE ON tollgate." + std::string(table) + " TO 'books'@'%';";
    }
    world_->maria().runSql(grants);
    EXPECT_EQ(world_->billing().stop(), 0);
    world_->billing().set("TOLLGATE_MYSQL_USER", "books");
    world_->billing().start();
  }

  static Party makeFunded() {
    const Party party = world_->makeParty();
    EXPECT_TRUE(world_->pay(party, kUnit, "first").has_value());
    return party;
  }

  // A paid call of one second that has ended; its record is in the stream when this returns.
  static std::string endCall(const Party& party, std::uint32_t final_code = 200) {
    const std::string call = world_->newCall();
    const auto reply = world_->reserve(call, party, {carrier_});
    EXPECT_TRUE(reply.has_value() && reply->has_reserved());
    call::v1::CallRecord record = BillingWorld::record(party, carrier_, reply->reserved(), 1);
    record.set_final_code(final_code);
    world_->publishEnded(call, record);
    return call;
  }

  static double failedCommits() { return world_->billing().metric("tollgate_billing_commit_failures_total").value_or(0); }
  static std::int64_t deadLetters() { return world_->number("SELECT COUNT(*) FROM dead_letters"); }

  // While `breaking` is in force a call ends, and nothing of it is stored or given up. After `mending` it is booked.
  static void expectPatience(const std::string& breaking, const std::string& mending) {
    const Party party = makeFunded();
    const std::int64_t letters = deadLetters();
    const double failed = failedCommits();
    world_->maria().runSql(breaking);
    const std::string call = endCall(party);
    // The first try, and tries after it.
    EXPECT_TRUE(waitUntil([&] { return failedCommits() >= failed + 3 || deadLetters() != letters; }, seconds(20))) << breaking;
    EXPECT_EQ(deadLetters(), letters) << breaking;
    EXPECT_EQ(world_->balance(party)->held_micros(), 1'000) << "the charge is not held any more: " << breaking;
    world_->maria().runSql(mending);
    EXPECT_TRUE(world_->waitCdr(call, seconds(20))) << breaking;
    EXPECT_TRUE(world_->waitIdle(party)) << breaking;
    EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 1'000) << breaking;
    EXPECT_EQ(deadLetters(), letters) << breaking;
  }

  // An insert into `table` fails with this number of MySQL.
  static std::string refusing(const std::string& table, int error) {
    return "CREATE TRIGGER refusing BEFORE INSERT ON " + table +
           " FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = " + std::to_string(error) + ", MESSAGE_TEXT = 'refused by the test'";
  }
};

TEST_F(BillingPoison, AMissingGrantMakesRecordsWait) {
  expectPatience("REVOKE INSERT ON tollgate.ledger_entries FROM 'books'@'%'", "GRANT INSERT ON tollgate.ledger_entries TO 'books'@'%'");
}

TEST_F(BillingPoison, AMissingColumnMakesRecordsWait) {
  expectPatience("ALTER TABLE cdrs DROP COLUMN pdd_ms", "ALTER TABLE cdrs ADD COLUMN pdd_ms INT NULL AFTER margin_micros");
}

TEST_F(BillingPoison, AMissingTableMakesRecordsWait) {
  expectPatience("RENAME TABLE cdr_traces TO cdr_traces_away", "RENAME TABLE cdr_traces_away TO cdr_traces");
}

// Billing goes on to decide about calls, but it does not stand still unseen.
TEST_F(BillingPoison, ReadinessNamesWhatKeepsRecordsFromBeingStored) {
  const Party party = makeFunded();
  world_->maria().runSql(refusing("cdrs", 1021));
  const std::string call = endCall(party);
  EXPECT_TRUE(waitUntil([&] { return !world_->billing().isReady(); }, seconds(20)));
  const auto readiness = world_->billing().get("/readyz");
  EXPECT_TRUE(readiness.has_value() && readiness->body.find("refused by the test") != std::string::npos);
  EXPECT_GE(world_->billing().metric("tollgate_billing_commit_blocked_seconds").value_or(0), 5);
  world_->maria().runSql("DROP TRIGGER refusing");
  EXPECT_TRUE(world_->waitCdr(call));
  EXPECT_TRUE(waitUntil([&] { return world_->billing().isReady(); }));
  EXPECT_TRUE(world_->waitIdle(party));
}

TEST_F(BillingPoison, AReadOnlyServerMakesRecordsWait) {
  expectPatience("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0");
}

TEST_F(BillingPoison, AFullDiskAndWhatNobodyKnowsMakeRecordsWait) {
  for (const int error : {1021, 1114, 1030, 9001, 31337}) {
    expectPatience(refusing("cdrs", error), "DROP TRIGGER refusing");
  }
}

// REQUIREMENTS 10.7: a value that no column takes is a dead letter, and the records beside it are booked.
TEST_F(BillingPoison, APoisonRowAmongGoodOnesIsADeadLetterAlone) {
  const Party party = makeFunded();
  const std::int64_t letters = deadLetters();
  constexpr std::uint32_t kTooLarge = 4'000'000'000;  // for an INT
  std::vector<std::string> good;
  for (int i = 0; i < 5; ++i) {
    good.push_back(endCall(party));
  }
  const std::string poison = endCall(party, kTooLarge);
  for (int i = 0; i < 5; ++i) {
    good.push_back(endCall(party));
  }
  for (const std::string& call : good) {
    EXPECT_TRUE(world_->waitCdr(call));
  }
  EXPECT_TRUE(waitUntil([&] { return deadLetters() == letters + 1; }));
  EXPECT_EQ(world_->cdrCount(poison), 0);
  EXPECT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit - 10'000);
}

// A dead letter that MySQL does not take is not acknowledged either: the record comes again.
TEST_F(BillingPoison, ADeadLetterThatCannotBeStoredIsNotLost) {
  const Party party = makeFunded();
  const std::int64_t letters = deadLetters();
  const double failed = failedCommits();
  world_->maria().runSql(refusing("dead_letters", 1406));
  world_->publish("ended", "unreadable", "not a record");
  ASSERT_TRUE(waitUntil([&] { return failedCommits() >= failed + 1; }));
  // Others are not delayed by it.
  EXPECT_TRUE(world_->waitCdr(endCall(party)));
  world_->maria().runSql("DROP TRIGGER refusing");
  EXPECT_TRUE(waitUntil([&] { return deadLetters() == letters + 1; }, seconds(15)));
}

// REQUIREMENTS 10.7: an operator mends what kept the record from being stored, and replays the letter.
TEST_F(BillingPoison, AReplayedDeadLetterIsBookedOnce) {
  const Party party = makeFunded();
  const std::string call = endCall(party, 4'000'000'000);
  ASSERT_TRUE(waitUntil([&] { return world_->number("SELECT COUNT(*) FROM dead_letters WHERE replayed_at IS NULL") > 0; }));
  ASSERT_TRUE(world_->waitIdle(party));
  EXPECT_EQ(world_->balance(party)->posted().micros(), kUnit) << "the ledger got a charge without a CDR";
  const auto waiting = [] { return world_->billing().metric("tollgate_billing_dead_letters_waiting").value_or(-1); };
  const std::int64_t letters = world_->number("SELECT COUNT(*) FROM dead_letters WHERE replayed_at IS NULL");
  EXPECT_TRUE(waitUntil([&] { return waiting() == static_cast<double>(letters); }, seconds(15)));

  billing::v1::ReplayDeadLetterRequest request;
  request.set_id(world_->number("SELECT MAX(id) FROM dead_letters"));
  EXPECT_EQ(world_->ask<billing::v1::Billing::ReplayDeadLetter>("", request).error().code, base::ErrorCode::kInvalid) << "no author";
  request.set_author("operator");
  world_->maria().runSql("ALTER TABLE cdrs MODIFY final_code BIGINT NOT NULL DEFAULT 0");
  const auto replayed = world_->ask<billing::v1::Billing::ReplayDeadLetter>("", request);
  ASSERT_TRUE(replayed.has_value()) << replayed.error().message;
  EXPECT_FALSE(replayed->existed());
  EXPECT_TRUE(world_->waitCdr(call));
  EXPECT_TRUE(waitUntil([&] { return world_->balance(party)->posted().micros() == kUnit - 1'000; }));
  EXPECT_EQ(world_->cdr(call, "final_code, charge_micros"), "4000000000\t1000");

  request.set_author("another");
  const auto again = world_->ask<billing::v1::Billing::ReplayDeadLetter>("", request);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(again->existed());
  EXPECT_EQ(again->replayed_by(), "operator");
  EXPECT_TRUE(waitUntil([&] { return waiting() == static_cast<double>(letters - 1); }, seconds(15)));
  request.set_id(999'999);
  EXPECT_EQ(world_->ask<billing::v1::Billing::ReplayDeadLetter>("", request).error().code, base::ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tollgate::component
