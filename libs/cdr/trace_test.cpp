// The stored form of a decision trace; no servers.
#include "libs/cdr/trace.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "libs/base/text.hpp"

namespace tollgate::cdr {
namespace {

using Steps = google::protobuf::RepeatedPtrField<common::v1::TraceStep>;

void add(Steps& steps, const std::string& stage, const std::string& check, const std::string& found, bool passed = true) {
  auto& step = *steps.Add();
  step.set_stage(stage);
  step.set_check(check);
  step.set_found(found);
  step.set_passed(passed);
}

// The trace of an ordinary call with two carriers.
Steps ordinary() {
  Steps steps;
  add(steps, "auth", "source_row", "source row 4711 (203.0.113.0/24) of trunk 815 (Wholesale East) covers 203.0.113.77 port 5060");
  add(steps, "auth", "tech_prefix", "the called number starts with the tech prefix 5512");
  add(steps, "auth", "trunk_state", "trunk 815 (Wholesale East) is enabled");
  add(steps, "auth", "customer_state", "customer 42 (Example Telecom) is active");
  add(steps, "routing", "dialpeer", "trunk 815 has 3 active dialpeers");
  add(steps, "routing", "rule", "rule 96 (37410 Yerevan) of dialpeer 77 has the longest code that matches the called number");
  add(steps, "routing", "candidate", "trunk 901 (Carrier North) is candidate 1 and has 2 endpoints");
  add(steps, "routing", "candidate", "trunk 902 (Carrier South) is candidate 2 and has 1 endpoint");
  add(steps, "billing", "rate", "plan 7 prefix 37410: 0.083500 USD per minute, block 6 s");
  add(steps, "billing", "cps", "3 of 50 incoming calls this second");
  add(steps, "billing", "incoming_slot", "17 of 200 incoming calls in use");
  add(steps, "billing", "credit",
      "available 1834.221009 USD (balance 1841.001203, held 6.780194, floor 0.000000), needs 0.008350 for the first block, holds 0.083500 "
      "for 60 s");
  add(steps, "billing", "candidate", "trunk 901 Carrier North: 30 of 30 outgoing calls in use", false);
  add(steps, "billing", "candidate", "trunk 902 Carrier South: 11 of 100 outgoing calls in use");
  return steps;
}

std::string jsonOf(const Steps& steps) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& step : steps) {
    list.push_back({{"stage", step.stage()}, {"check", step.check()}, {"found", step.found()}, {"passed", step.passed()}});
  }
  return list.dump();
}

void expectSame(const Steps& expected, const std::string& stored) {
  const auto steps = unpackTrace(stored);
  ASSERT_TRUE(steps.has_value()) << steps.error().message;
  ASSERT_EQ(steps->size(), static_cast<std::size_t>(expected.size()));
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const auto& step = expected.Get(static_cast<int>(i));
    EXPECT_EQ((*steps)[i].stage, step.stage());
    EXPECT_EQ((*steps)[i].check, step.check());
    EXPECT_EQ((*steps)[i].found, step.found());
    EXPECT_EQ((*steps)[i].passed, step.passed());
  }
}

TEST(Trace, IsReadAsItWasWritten) {
  expectSame(ordinary(), packTrace(ordinary()));
  expectSame(Steps(), packTrace(Steps()));
  Steps odd;
  add(odd, "a stage of tomorrow", "", std::string(20'000, 'x') + "\xE2\x82\xAC", false);
  expectSame(odd, packTrace(odd));
}

TEST(Trace, AnOrdinaryOneIsAQuarterOfItsJson) {
  const std::size_t before = jsonOf(ordinary()).size();
  const std::size_t after = packTrace(ordinary()).size();
  RecordProperty("bytes_json", static_cast<int>(before));
  RecordProperty("bytes_packed", static_cast<int>(after));
  EXPECT_LE(after * 3, before) << before << " bytes of JSON, " << after << " packed";
}

TEST(Trace, TheJsonOfOlderVersionsIsStillRead) {
  expectSame(ordinary(), jsonOf(ordinary()));
}

// The dictionary is part of the stored form: if it changes, this fails, and so would every stored trace.
TEST(Trace, TheStoredFormDoesNotChange) {
  Steps steps;
  add(steps, "billing", "cps", "3 of 50 incoming calls this second");
  add(steps, "routing", "dialpeer", "trunk 815 has 3 active dialpeers", false);
  const std::string stored = base::hex(packTrace(steps));
  EXPECT_EQ(stored, "016b06059531c8d3a6189e460e2526b4c46961680a8e3063f4b459cc0000");
}

TEST(Trace, WhatIsNoTraceIsAnError) {
  const std::string packed = packTrace(ordinary());
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[1]"), std::string("\x01garbage"), std::string("\x02"),
                                  packed.substr(0, packed.size() / 2)}) {
    EXPECT_FALSE(unpackTrace(text).has_value()) << text;
  }
}

TEST(Trace, BytesThatAreNoTextAreReplaced) {
  Steps steps;
  add(steps, "auth", "x", std::string("a\0b\xC3", 4));
  EXPECT_EQ(unpackTrace(packTrace(steps)).value().at(0).found, "a?b?");
}

}  // namespace
}  // namespace tollgate::cdr
