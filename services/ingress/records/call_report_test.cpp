#include "services/ingress/records/call_report.hpp"

#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"
#include "services/ingress/calls/call.hpp"

namespace tollgate::ingress {
namespace {

class CallReportTest : public ::testing::Test {
 protected:
  // A call talking through trunk 10 of customer 1 over carrier trunk 20.
  CallRef addTalking() {
    auto [ref, call] = table.add(base::CallId::make(1, random), policy);
    call::Actions actions;
    const auto feed = [&, &machine = call.machine](call::Event event) { machine.handle(std::move(event), clock.now(), actions); };
    feed(call::Driver::invited());
    feed(call::Driver::authorized());
    feed(call::Driver::routed({call::Driver::candidate(20, 1)}));
    feed(call::Driver::reserved());
    feed(call::LegAnswered{1});
    return ref;
  }
  void end(CallRef ref) {
    call::Actions actions;
    table.find(ref)->machine.handle(call::PartyBye{call::Side::kCaller, 0}, clock.now(), actions);
  }

  call::Policy policy;
  call::Driver clock;
  base::SeededRandom random{1};
  CallTable<Call> table;
  CallReport report{table, "ingress-1", std::chrono::seconds(2)};

  // The pieces of an answer joined into one.
  control::v1::ReportCallsReply whole(const control::v1::ReportCallsRequest& request) {
    control::v1::ReportCallsReply all;
    CallReport::Cursor cursor;
    while (!all.is_last()) {
      all.MergeFrom(report.report(request, cursor));
    }
    return all;
  }
};

TEST_F(CallReportTest, ListsLiveCallsThatMatchTheFilter) {
  const auto ref = addTalking();
  control::v1::ReportCallsRequest request;
  const auto piece = whole(request);
  EXPECT_TRUE(piece.is_last());
  ASSERT_EQ(piece.calls_size(), 1);
  EXPECT_EQ(piece.calls(0).call_id(), table.find(ref)->machine.id().text());
  EXPECT_EQ(piece.calls(0).phase(), control::v1::CALL_PHASE_TALKING);
  EXPECT_EQ(piece.calls(0).held_micros(), 600'000);
  EXPECT_EQ(piece.calls(0).trace_size(), 0);
  request.set_customer_id(2);
  EXPECT_EQ(whole(request).calls_size(), 0);
  request.set_customer_id(1);
  request.set_called_prefix("4477");
  EXPECT_EQ(whole(request).calls_size(), 1);
  request.set_call_id(table.find(ref)->machine.id().text());
  EXPECT_GT(whole(request).calls(0).trace_size(), 0);  // REQUIREMENTS 10.3
}

// Billing rebuilds accounts from this (REQUIREMENTS 9.4): a call stays in the report until the stream has its last record.
TEST_F(CallReportTest, KeepsACallThatIsOverUntilItsRecordIsStored) {
  const auto ref = addTalking();
  end(ref);
  EXPECT_EQ(whole({}).calls_size(), 0);
  report.over(table.find(ref)->machine, "id.7", {});
  table.remove(ref);
  report.forgetStored({"id.6"});
  const auto piece = whole({});
  ASSERT_EQ(piece.calls_size(), 1);
  EXPECT_EQ(piece.calls(0).phase(), control::v1::CALL_PHASE_ENDING);
  report.forgetStored({"id.7"});
  EXPECT_EQ(report.waiting(), 0U);
}

// REQUIREMENTS 9.5: its slots are free soon, although the stream cannot take the record.
TEST_F(CallReportTest, AnEndedCallIsDueForReleaseUntilBillingConfirms) {
  const base::MonotonicTime begin{};
  const auto after = [begin](std::int64_t seconds) { return begin + std::chrono::seconds(seconds); };
  const auto due = [this](base::MonotonicTime now) { return report.takeDue(now, 10); };
  const auto ref = addTalking();
  end(ref);
  report.over(table.find(ref)->machine, "id.7", begin);
  table.remove(ref);
  EXPECT_TRUE(due(after(1)).empty());
  const std::vector<std::string> one{"id.7"};
  EXPECT_EQ(due(after(2)), one);
  EXPECT_TRUE(due(after(3)).empty());
  EXPECT_EQ(due(after(4)), one);  // 2 s later; then the pause doubles up to a minute
  EXPECT_TRUE(due(after(7)).empty());
  EXPECT_EQ(due(after(8)), one);
  for (const std::int64_t seconds : {16, 32, 64, 124, 184}) {
    EXPECT_TRUE(due(after(seconds - 1)).empty()) << seconds;
    EXPECT_EQ(due(after(seconds)), one) << seconds;
  }
  report.released("id.7");
  EXPECT_TRUE(due(after(1000)).empty());
  EXPECT_EQ(report.waiting(), 1U);  // still in the report
  ASSERT_NE(report.find("id.7"), nullptr);
  EXPECT_EQ(report.find("id.7")->carriers, std::vector<base::TrunkId>{base::TrunkId(20)});
  report.forgetStored(one);
  EXPECT_EQ(report.find("id.7"), nullptr);
}

// Billing may have taken a slot of any of them although its answer did not come.
TEST_F(CallReportTest, AReleaseNamesTheTrunksOfAnUndecidedReserve) {
  call::Driver undecided;
  undecided.toReserving({call::Driver::candidate(20, 1), call::Driver::candidate(21, 1)});
  undecided.feed(call::DecisionFailed{call::Decision::kReserve, "timeout"});
  report.over(undecided.machine, "id.3", {});
  ASSERT_NE(report.find("id.3"), nullptr);
  EXPECT_EQ(report.find("id.3")->carriers, (std::vector{base::TrunkId(20), base::TrunkId(21)}));
}

TEST_F(CallReportTest, AStoredCallIsNeverDueAndATurnTakesALimitedNumber) {
  const auto ref = addTalking();
  end(ref);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back("id." + std::to_string(i));
    report.over(table.find(ref)->machine, ids.back(), {});
  }
  report.forgetStored({ids[0]});
  const auto now = base::MonotonicTime{} + std::chrono::seconds(2);
  EXPECT_EQ(report.takeDue(now, 3), std::vector<std::string>(ids.begin() + 1, ids.begin() + 4));
  EXPECT_EQ(report.takeDue(now, 3), std::vector<std::string>(ids.begin() + 4, ids.end()));
  EXPECT_TRUE(report.takeDue(now, 3).empty());
}

TEST_F(CallReportTest, AnswersInPiecesAndCountsBeyondTheLimit) {
  for (std::size_t i = 0; i < CallReport::kCallsPerPiece + 5; ++i) {
    (void)addTalking();
  }
  control::v1::ReportCallsRequest request;
  request.set_limit(3);
  CallReport::Cursor cursor;
  const auto first = report.report(request, cursor);
  EXPECT_FALSE(first.is_last());
  EXPECT_EQ(first.calls_size(), 3);
  EXPECT_EQ(first.total(), CallReport::kCallsPerPiece);
  const auto second = report.report(request, cursor);
  EXPECT_EQ(second.total(), 5U);
  EXPECT_TRUE(second.is_last());
}

// 100,000 calls wait while the stream is away: no turn of the loop walks all of them.
TEST_F(CallReportTest, EndedCallsComeInPiecesToo) {
  const auto ref = addTalking();
  end(ref);
  const auto count = 2 * CallReport::kCallsPerPiece + 7;
  for (std::size_t i = 0; i < count; ++i) {
    report.over(table.find(ref)->machine, "id." + std::to_string(i), {});
  }
  CallReport::Cursor cursor;
  std::size_t total = 0;
  int pieces = 0;
  for (bool is_last = false; !is_last; ++pieces) {
    const auto piece = report.report({}, cursor);
    EXPECT_LE(piece.total(), CallReport::kCallsPerPiece);
    total += piece.total();
    is_last = piece.is_last();
    report.forgetStored({cursor.after});  // that it is stored meanwhile does not confuse the cursor
  }
  EXPECT_EQ(total, count);
  EXPECT_EQ(pieces, 4);  // one of the table, three of ended calls
}

TEST_F(CallReportTest, ListsNamedCallsOnly) {
  const auto first = addTalking();
  const auto second = addTalking();
  control::v1::ReportCallsRequest request;
  request.add_call_ids(std::string(table.find(second)->machine.id().text()));
  request.add_call_ids("another");
  const auto reply = whole(request);
  ASSERT_EQ(reply.calls_size(), 1);
  EXPECT_EQ(reply.calls(0).call_id(), table.find(second)->machine.id().text());
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace tollgate::ingress
