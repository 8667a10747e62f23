#include "libs/telemetry/log.hpp"

#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "libs/telemetry/json_line.hpp"
#include "libs/telemetry/rate_limiter.hpp"

namespace tollgate::telemetry {
namespace {

using nlohmann::json;

class LogTest : public testing::Test {
 protected:
  void start(Level level, std::size_t queue_lines_max = 8192) {
    LogOptions options;
    options.instance = "test-1";
    options.queue_lines_max = queue_lines_max;
    options.sink = [this](std::string_view line) {
      const std::lock_guard held(hold_);
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    };
    startLogging("ingress", level, std::move(options));
  }
  ~LogTest() override { stopLogging(); }

  // Everything written so far; ends logging.
  std::vector<json> finish() {
    stopLogging();
    std::vector<json> documents;
    for (const std::string& line : lines_) {
      documents.push_back(json::parse(line, nullptr, false));
      EXPECT_TRUE(documents.back().is_object()) << line;
    }
    return documents;
  }

  std::mutex hold_;  // taken by a test: the writer is blocked
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesOneJsonObjectWithAllFields) {
  start(Level::kInfo);
  info("call ended", {{"call_id", "abc"}, {"attempts", std::int64_t{-3}}, {"pdd", 0.25}, {"answered", true}});
  const auto lines = finish();
  ASSERT_EQ(lines.size(), 1U);
  const json& line = lines[0];
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["service"], "ingress");
  EXPECT_EQ(line["instance"], "test-1");
  EXPECT_EQ(line["msg"], "call ended");
  EXPECT_EQ(line["call_id"], "abc");
  EXPECT_EQ(line["attempts"], -3);
  EXPECT_EQ(line["pdd"], 0.25);
  EXPECT_EQ(line["answered"], true);
  // 2026-11-21T10:20:30.123456Z
  const auto ts = line["ts"].get<std::string>();
  EXPECT_EQ(ts.size(), 27U);
  EXPECT_EQ(ts[10], 'T');
  EXPECT_EQ(ts.back(), 'Z');
}

TEST_F(LogTest, EscapesWhateverAnUnknownSourceSends) {
  start(Level::kInfo);
  const std::string nasty = std::string("quote\" back\\ nl\n nul") + '\0' + " tab\t esc\x1b del\x7f bad\xFF\xC0\xAF euro\xE2\x82\xAC";
  info(nasty, {{"user_agent", nasty}});
  const auto lines = finish();
  ASSERT_EQ(lines.size(), 1U);
  const std::string expected =
      std::string("quote\" back\\ nl\n nul") + '\0' + " tab\t esc\x1b del\x7f bad\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD euro\xE2\x82\xAC";
  EXPECT_EQ(lines[0]["msg"].get<std::string>(), expected);
  EXPECT_EQ(lines[0]["user_agent"].get<std::string>(), expected);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos) << "a line must stay one line";
}

TEST_F(LogTest, LeavesOutLevelsBelowTheOneSet) {
  start(Level::kWarn);
  EXPECT_FALSE(isLogged(Level::kInfo));
  debug("no");
  info("no");
  warn("yes");
  setLevel(Level::kDebug);
  debug("yes too");
  const auto lines = finish();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["msg"], "yes");
  EXPECT_EQ(lines[1]["msg"], "yes too");
}

TEST_F(LogTest, WritesNothingBeforeStartOrAfterStop) {
  EXPECT_FALSE(isLogged(Level::kError));
  error("nobody listens");
  start(Level::kDebug);
  finish();
  error("nobody listens any more");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(LogTest, LimitsWarningsPerTextAndCountsTheRest) {
  start(Level::kDebug);
  for (int i = 0; i < 1000; ++i) {
    warn("store away");
  }
  error("something else");
  for (int i = 0; i < 30; ++i) {
    info("each of these");
  }
  int shown = 0;
  int others = 0;
  std::int64_t suppressed = 0;
  for (const json& line : finish()) {
    shown += line["msg"] == "store away" ? 1 : 0;
    others += line["msg"] == "something else" || line["msg"] == "each of these" ? 1 : 0;
    if (line["msg"] == "messages suppressed") {
      EXPECT_EQ(line["message"], "store away");
      suppressed += line["count"].get<std::int64_t>();
    }
  }
  EXPECT_LT(shown, 100);
  EXPECT_GE(shown, RateLimiter::kPerSecond);
  EXPECT_EQ(shown + suppressed, 1000);
  EXPECT_EQ(others, 31);
}

TEST_F(LogTest, DropsTheOldestAndNeverWaitsWhenTheWriterIsBlocked) {
  start(Level::kInfo, 16);
  {
    const std::lock_guard standing_still(hold_);
    for (int i = 0; i < 1000; ++i) {
      info("line", {{"n", std::int64_t{i}}});  // would hang here if it waited
    }
    EXPECT_GE(droppedLines(), 1000U - 16U - 2U);
  }
  const auto lines = finish();
  EXPECT_LE(lines.size(), 18U);
  EXPECT_EQ(lines.back()["n"], 999);
}

TEST_F(LogTest, TakesLinesFromManyThreadsWhileStopping) {
  start(Level::kInfo);
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!is_over) {
        info("busy");
      }
    });
  }
  finish();
  is_over = true;
  for (auto& thread : threads) {
    thread.join();
  }
}

TEST(RateLimiterTest, OpensAgainAfterASecond) {
  RateLimiter limiter;
  base::MonotonicTime now{};
  const auto admitted = [&] {
    int count = 0;
    for (int i = 0; i < 25; ++i) {
      count += limiter.admit("text", now) ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(admitted(), RateLimiter::kPerSecond);
  EXPECT_TRUE(limiter.takeSuppressed(now, false).empty()) << "the second is not over";
  now += std::chrono::seconds(1);
  const auto suppressed = limiter.takeSuppressed(now, false);
  ASSERT_EQ(suppressed.size(), 1U);
  EXPECT_EQ(suppressed[0].count, 25U - RateLimiter::kPerSecond);
  EXPECT_EQ(admitted(), RateLimiter::kPerSecond);
}

TEST(RateLimiterTest, KeepsItsMemoryBoundedWhenTextsAreNotConstant) {
  RateLimiter limiter;
  int admitted = 0;
  for (std::size_t i = 0; i < RateLimiter::kTextsMax * 2; ++i) {
    admitted += limiter.admit("text " + std::to_string(i), base::MonotonicTime{}) ? 1 : 0;
  }
  EXPECT_EQ(admitted, static_cast<int>(RateLimiter::kTextsMax) + RateLimiter::kPerSecond);
}

TEST(JsonLineTest, WritesNullForNumbersJsonDoesNotHave) {
  std::string text;
  JsonLine line(text);
  line.real("nan", std::numeric_limits<double>::quiet_NaN());
  line.real("inf", std::numeric_limits<double>::infinity());
  line.integer("low", std::numeric_limits<std::int64_t>::min());
  line.end();
  EXPECT_EQ(text, R"({"nan":null,"inf":null,"low":-9223372036854775808})");
}

TEST(JsonLineTest, ReplacesBytesThatAreNotUtf8) {
  for (const char* bad : {"\x80", "\xC1\x81", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82"}) {
    std::string text;
    appendEscaped(text, bad);
    EXPECT_TRUE(json::accept("\"" + text + "\"")) << text;
    EXPECT_NE(text.find("\xEF\xBF\xBD"), std::string::npos);
  }
}

TEST(MaskNumber, HidesTheMiddle) {
  EXPECT_EQ(maskNumber("447700900123"), "4477*****123");
  EXPECT_EQ(maskNumber("12345678"), "1234*678");
  EXPECT_EQ(maskNumber("1234567"), "123****");
  EXPECT_EQ(maskNumber("112"), "1**");
  EXPECT_EQ(maskNumber(""), "");
}

TEST(ParseLevel, TakesFourWords) {
  EXPECT_EQ(*parseLevel("debug"), Level::kDebug);
  EXPECT_EQ(*parseLevel("error"), Level::kError);
  EXPECT_FALSE(parseLevel("INFO"));
  EXPECT_FALSE(parseLevel(""));
}

}  // namespace
}  // namespace tollgate::telemetry
