// The daily partitions of the call records, as tollgate-billing keeps them (REQUIREMENTS 10.1).
#include <gtest/gtest.h>

#include "libs/cdr/days.hpp"
#include "tests/component/billing_world.hpp"

namespace tollgate::component {
namespace {

using testkit::waitUntil;

constexpr std::int64_t kUnit = 1'000'000;

class BillingStorage : public BillingSuite {
 protected:
  static std::int64_t partitions(const std::string& table, const std::string& condition) {
    return world_->number("SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = '" + table +
                          "' AND " + condition);
  }
};

TEST_F(BillingStorage, TheDaysAheadHavePartitionsAndOldOnesAreDropped) {
  const auto now = base::SystemClock().wall();
  for (const std::string table : {"cdrs", "cdr_attempts", "cdr_traces"}) {
    for (int day = 0; day <= 3; ++day) {
      const std::string name = "partition_name = '" + cdr::dayOf(now, day).name + "'";
      EXPECT_TRUE(waitUntil([&] { return partitions(table, name) == 1; })) << table << " " << name;
    }
    EXPECT_EQ(partitions(table, "partition_name = 'p_next'"), 1) << table;
  }
  // An old day with a trace, and a day that is kept for ever.
  const cdr::Day old = cdr::dayOf(now, -100);
  const cdr::Day today = cdr::dayOf(now, 0);
  for (const std::string table : {"cdrs", "cdr_traces"}) {
    world_->maria().runSql("ALTER TABLE " + table + " REORGANIZE PARTITION " + today.name + " INTO (PARTITION " + old.name +
                           " VALUES LESS THAN ('" + old.below + "'), PARTITION " + today.name + " VALUES LESS THAN ('" + today.below +
                           "'))");
  }
  EXPECT_TRUE(waitUntil([&] { return partitions("cdr_traces", "partition_name = '" + old.name + "'") == 0; }));
  EXPECT_EQ(partitions("cdrs", "partition_name = '" + old.name + "'"), 1) << "CDRs are kept for ever by default";
  EXPECT_GE(world_->billing().metric("tollgate_billing_partitions_dropped_total").value_or(0), 1);
}

// A look-up by call id reads one partition, and a call is written once whatever day it is of.
TEST_F(BillingStorage, ACallIsFoundInItsDayAlone) {
  const Party party = world_->makeParty();
  ASSERT_TRUE(world_->pay(party, kUnit, "first").has_value());
  const std::string call = world_->newCall();
  const auto reply = world_->reserve(call, party, {carrier_});
  ASSERT_TRUE(reply.has_value() && reply->has_reserved());
  const auto record = BillingWorld::record(party, carrier_, reply->reserved(), 3);
  world_->publishEnded(call, record);
  ASSERT_TRUE(world_->waitCdr(call));
  const std::string today = cdr::dayOf(base::SystemClock().wall(), 0).name;
  EXPECT_EQ(world_->number("SELECT COUNT(*) FROM cdrs PARTITION (" + today + ") WHERE call_id = '" + call + "'"), 1);
  const std::string plan = world_->maria().runSql("EXPLAIN PARTITIONS SELECT reason FROM cdrs WHERE call_id = '" + call + "'");
  EXPECT_NE(plan.find(today), std::string::npos) << plan;
  EXPECT_EQ(plan.find("p_next"), std::string::npos) << plan;
}

TEST_F(BillingStorage, TheSizeOfTheTablesIsAMetricAndNearTheBoundAWarning) {
  EXPECT_TRUE(waitUntil([&] { return world_->billing().metric("tollgate_billing_mysql_bytes").value_or(0) > 100'000; }));
  EXPECT_EQ(world_->billing().metric("tollgate_billing_mysql_bytes_max").value_or(0), 1'000'000);
  EXPECT_TRUE(waitUntil([&] { return world_->billing().log().find("MySQL is nearly full") != std::string::npos; }));
  EXPECT_EQ(world_->billing().metric("tollgate_billing_storage_failures_total").value_or(-1), 0);
}

}  // namespace
}  // namespace tollgate::component
