#include <set>

#include <gtest/gtest.h>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "libs/base/reason.hpp"
#include "libs/base/text.hpp"

namespace tollgate::base {
namespace {

// REQUIREMENTS 7: reason, SIP code and cause exactly as published.
TEST(ReasonTable, MatchesThePublishedRejectMap) {
  struct Published {
    const char* word;
    int sip, cause;
  };
  const Published published[] = {
      {"unknown_source", 403, 21},
      {"tech_prefix_mismatch", 403, 21},
      {"customer_blocked", 403, 21},
      {"trunk_disabled", 403, 21},
      {"bad_credentials", 403, 21},
      {"no_credit", 402, 21},
      {"spend_guard", 403, 21},
      {"no_route", 404, 3},
      {"no_rate", 404, 3},
      {"address_incomplete", 484, 28},
      {"malformed", 400, 95},
      {"credit_exhausted", 0, 16},
      {"session_expired", 0, 102},
      {"media_timeout", 0, 102},
      {"concurrent_limit", 503, 34},
      {"cps_limit", 503, 42},
      {"overloaded", 503, 42},
      {"draining", 503, 42},
      {"decision_unavailable", 503, 41},
      {"loss_protection", 503, 34},
      {"no_target_available", 503, 34},
      {"target_timeout", 504, 102},
      {"no_common_codec", 488, 88},
      {"loop_detected", 482, 25},
      {"too_many_hops", 483, 25},
      {"hangup_by_operator", 0, 16},
      {"max_duration", 0, 16},
  };
  for (const auto& row : published) {
    const auto reason = reasonFromWord(row.word);
    ASSERT_TRUE(reason) << row.word;
    EXPECT_EQ(reasonRow(*reason).sip_code, row.sip) << row.word;
    EXPECT_EQ(reasonRow(*reason).q850_cause, row.cause) << row.word;
  }
}

TEST(ReasonTable, WordsAndNumbersAreUniqueAndRoundTrip) {
  std::set<std::string_view> words;
  for (const auto& row : reasonTable()) {
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    EXPECT_EQ(reasonFromNumber(static_cast<int>(row.reason)), row.reason);
    EXPECT_GE(row.http_status, 200);
  }
  EXPECT_EQ(reasonFromNumber(99), Reason::kUnspecified);
}

TEST(RejectMap, OverridesCodeAndCauseButNotTheWord) {
  const auto map = RejectMap::parse("no_route=480/20,no_credit=403/21");
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(map->answer(Reason::kNoRoute).sip_code, 480);
  EXPECT_EQ(map->answer(Reason::kNoRoute).q850_cause, 20);
  EXPECT_EQ(map->answer(Reason::kNoRate).sip_code, 404);
  EXPECT_EQ(reasonHeader(Reason::kNoRoute, 20), "Q.850;cause=20;text=\"no_route\"");
}

TEST(RejectMap, RefusesWhatItDoesNotKnow) {
  for (const char* wrong : {"nonsense=404/3", "no_route=200/3", "no_route=404/200", "no_route", "max_duration=486/16"}) {
    EXPECT_FALSE(RejectMap::parse(wrong)) << wrong;
  }
}

TEST(CallId, SortsByTimeAndParsesBack) {
  SeededRandom random(1);
  const auto early = CallId::make(1'700'000'000'000, random);
  const auto late = CallId::make(1'700'000'000'001, random);
  EXPECT_LT(early, late);
  EXPECT_EQ(CallId::parse(early.text()), early);
  EXPECT_FALSE(CallId::parse("not an id").isSet());
  EXPECT_FALSE(CallId::parse(std::string(26, 'u')).isSet());
}

TEST(SystemRandom, DoesNotRepeat) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(seen.insert(random.next()).second);
  }
}

TEST(Clock, FormatsRfc3339) {
  EXPECT_EQ(formatRfc3339(WallTime(std::chrono::microseconds(1'700'000'000'123'456))), "2023-11-14T22:13:20.123456Z");
}

TEST(Text, ReadsAndWrites) {
  EXPECT_EQ(lower("X-Real-IP"), "x-real-ip");
  EXPECT_EQ(upper("admin_api"), "ADMIN_API");
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(joined({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(joined({}, ", "), "");
  EXPECT_EQ(hex(std::string_view("\0\x7f\xff", 3)), "007fff");
}

TEST(Text, ReadsWholeNumbersOnly) {
  EXPECT_EQ(parseInteger("-12"), -12);
  EXPECT_EQ(parseInteger("9223372036854775807"), INT64_MAX);
  for (const auto* text : {"", " 1", "1 ", "+1", "1.5", "x", "9223372036854775808"}) {
    EXPECT_FALSE(parseInteger(text)) << text;
  }
}

TEST(Text, ComparesSecrets) {
  EXPECT_TRUE(isSameSecret("abc", "abc"));
  for (const auto* given : {"", "ab", "abd", "abcd", "abcabc"}) {
    EXPECT_FALSE(isSameSecret("abc", given)) << given;
  }
  EXPECT_FALSE(isSameSecret("", "a"));
}

}  // namespace
}  // namespace tollgate::base
