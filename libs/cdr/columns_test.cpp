// The values of the columns; no servers. The component test cdr_columns_test compares the columns with the schema and the API.
#include "libs/cdr/columns.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace tollgate::cdr {
namespace {

FinishedCall answered() {
  FinishedCall call;
  call.header.set_call_id("01KAFZ0000000000000000TEST");
  call.header.mutable_at()->set_seconds(1'000'000'000);
  call.record.mutable_rate()->set_rate_id(7);
  call.record.mutable_rate()->set_per_minute_micros(60'000);
  call.record.mutable_pdd()->set_nanos(250'000'000);
  call.record.set_reason(common::v1::REASON_NORMAL);
  return call;
}

sql::Value valueOf(const FinishedCall& call, std::string_view column, const Price& price = {}) {
  const auto& columns = cdrs().columns;
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& each) { return each.name == column; });
  EXPECT_NE(found, columns.end()) << column;
  return cdrs().row({call, price}).at(static_cast<std::size_t>(found - columns.begin()));
}

TEST(Cdrs, TakeTheirValuesFromTheRecordAndThePrice) {
  Price price;
  price.charge_micros = 12'000;
  EXPECT_EQ(valueOf(answered(), "call_id"), sql::Value("01KAFZ0000000000000000TEST"));
  EXPECT_EQ(valueOf(answered(), "rate_id"), sql::Value(std::int64_t{7}));
  EXPECT_EQ(valueOf(answered(), "rate_per_minute_micros"), sql::Value(std::int64_t{60'000}));
  EXPECT_EQ(valueOf(answered(), "pdd_ms"), sql::Value(std::int64_t{250}));
  EXPECT_EQ(valueOf(answered(), "reason"), sql::Value("normal"));
  EXPECT_EQ(valueOf(answered(), "charge_micros", price), sql::Value(std::int64_t{12'000}));
}

TEST(Cdrs, WhatTheRecordDoesNotHaveIsNull) {
  EXPECT_EQ(valueOf(answered(), "vendor_rate_id"), sql::Value(nullptr));
  EXPECT_EQ(valueOf(answered(), "vendor_rate_per_minute_micros"), sql::Value(nullptr));
  EXPECT_EQ(valueOf(answered(), "customer_id"), sql::Value(nullptr));
  EXPECT_EQ(valueOf(answered(), "answered_at"), sql::Value(nullptr));
}

TEST(Cdrs, AreDatedByTheEventWhenTheRecordHasNoTimes) {
  EXPECT_EQ(valueOf(answered(), "setup_at"), sql::Value("2001-09-09 01:46:40.000000"));
  EXPECT_EQ(valueOf(answered(), "ended_at"), sql::Value("2001-09-09 01:46:40.000000"));
}

TEST(Cdrs, TextsAreCutToTheirColumns) {
  FinishedCall call = answered();
  call.record.set_called_in(std::string(300, '9'));
  call.record.set_caller_in("\xC3 broken text");
  EXPECT_EQ(valueOf(call, "called_in"), sql::Value(std::string(64, '9')));
  EXPECT_EQ(valueOf(call, "caller_in"), sql::Value("? broken text"));
}

TEST(Attempts, TakeTheirValuesFromTheAttempt) {
  FinishedCall call = answered();
  call::v1::Attempt& attempt = *call.record.add_attempts();
  attempt.set_number(1);
  attempt.set_trunk_id(9);
  attempt.set_skipped(common::v1::REASON_CONCURRENT_LIMIT);
  const auto row = attempts().row({call, attempt});
  EXPECT_EQ(attempts().insertHead(),
            "cdr_attempts (call_id, number, trunk_id, endpoint_id, endpoint, started_at, lasted_ms, final_code, ended_because, skipped, "
            "detail)");
  const std::vector<sql::Value> expected{"01KAFZ0000000000000000TEST",
                                         std::int64_t{1},
                                         std::int64_t{9},
                                         nullptr,
                                         "",
                                         nullptr,
                                         std::int64_t{0},
                                         std::int64_t{0},
                                         "",
                                         "concurrent_limit",
                                         ""};
  EXPECT_EQ(row, expected);
}

TEST(Column, AnAmountLosesItsUnitOutsideMySql) {
  const auto& columns = cdrs().columns;
  const auto shown = [&](std::string_view name) {
    return std::any_of(columns.begin(), columns.end(), [&](const auto& column) { return column.publicName() == name; });
  };
  EXPECT_TRUE(shown("charge"));
  EXPECT_FALSE(shown("charge_micros"));
  EXPECT_TRUE(shown("talked_seconds"));
}

}  // namespace
}  // namespace tollgate::cdr
