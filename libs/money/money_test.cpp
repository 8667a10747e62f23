#include "libs/money/money.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "libs/base/limits.hpp"

namespace tollgate::money {
namespace {

TEST(ParseDecimal, ReadsWholeNumbersAndDecimals) {
  EXPECT_EQ(parseDecimal("12.345678").value(), 12'345'678);
  EXPECT_EQ(parseDecimal("0").value(), 0);
  EXPECT_EQ(parseDecimal("-0.5").value(), -500'000);
  EXPECT_EQ(parseDecimal("+7").value(), 7'000'000);
  EXPECT_EQ(parseDecimal("0.000001").value(), 1);
  EXPECT_EQ(parseDecimal("0007.10").value(), 7'100'000);
}

TEST(ParseDecimal, RefusesEverythingElseAndNamesTheRule) {
  for (const char* text : {"", "-", ".", ".5", "5.", "1e3", " 1", "1 ", "1,5", "0x10", "--1", "1.2.3", "nan", "1.-5"}) {
    const auto parsed = parseDecimal(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, base::ErrorCode::kInvalid);
    EXPECT_NE(parsed.error().message.find("decimal number"), std::string::npos) << text;
  }
  EXPECT_EQ(parseDecimal("1.0000001").error().message, "must have at most 6 decimals");
}

TEST(ParseDecimal, StopsAtTheBoundOfMoney) {
  EXPECT_EQ(parseDecimal("1000000000000").value(), base::limits::kMoneyMicrosMax);
  EXPECT_EQ(parseDecimal("-1000000000000.000000").value(), -base::limits::kMoneyMicrosMax);
  EXPECT_EQ(parseDecimal("1000000000000.000001").error().message, "must not exceed 1000000000000.000000");
  EXPECT_FALSE(parseDecimal("99999999999999999999999999999999").has_value());
}

TEST(FormatDecimal, AlwaysWritesSixPlaces) {
  EXPECT_EQ(formatDecimal(0), "0.000000");
  EXPECT_EQ(formatDecimal(1), "0.000001");
  EXPECT_EQ(formatDecimal(-500'000), "-0.500000");
  EXPECT_EQ(formatDecimal(12'345'678), "12.345678");
  EXPECT_EQ(formatDecimal(std::numeric_limits<std::int64_t>::min()), "-9223372036854.775808");
}

TEST(FormatDecimal, IsReadBackAsTheSameNumber) {
  for (const std::int64_t micros : {0LL, 1LL, -1LL, 999'999LL, -1'000'001LL, 123'456'789'012'345LL, 1'000'000'000'000'000LL}) {
    EXPECT_EQ(parseDecimal(formatDecimal(micros)).value(), micros);
  }
}

TEST(Currency, IsThreeCapitalLetters) {
  EXPECT_EQ(Currency::parse("EUR").value().text(), "EUR");
  for (const char* text : {"", "eur", "EURO", "E1R", "EU"}) {
    EXPECT_FALSE(Currency::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(Currency().isSet());
}

}  // namespace
}  // namespace tollgate::money
