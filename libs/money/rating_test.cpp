// REQUIREMENTS 8.4: billed seconds and the exact charge.
#include "libs/money/rating.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "libs/base/limits.hpp"

namespace tollgate::money {
namespace {

using std::chrono::seconds;

Rate rateOf(std::int64_t per_minute, std::int64_t fee, std::int64_t connection, std::int64_t block) {
  Rate rate;
  rate.per_minute_micros = per_minute;
  rate.connection_fee_micros = fee;
  rate.connection_seconds = connection;
  rate.billing_block_seconds = block;
  return rate;
}

// The formula of REQUIREMENTS 8.4 computed in a second, slow way: blocks are counted one by one, and twice the remainder decides the
// rounding.
std::int64_t chargeBySteps(const Rate& rate, std::int64_t talked) {
  std::int64_t billed = rate.connection_seconds;
  while (billed < talked) {
    billed += rate.billing_block_seconds;
  }
  const std::int64_t product = rate.per_minute_micros * billed;
  const std::int64_t half_up = product % 60 * 2 >= 60 ? 1 : 0;
  return rate.connection_fee_micros + product / 60 + half_up;
}

TEST(RoundUpSeconds, CountsAStartedSecondAsWhole) {
  EXPECT_EQ(roundUpSeconds(std::chrono::microseconds(0)), seconds(0));
  EXPECT_EQ(roundUpSeconds(std::chrono::microseconds(1)), seconds(1));
  EXPECT_EQ(roundUpSeconds(std::chrono::milliseconds(1000)), seconds(1));
  EXPECT_EQ(roundUpSeconds(std::chrono::microseconds(1'000'001)), seconds(2));
  EXPECT_EQ(roundUpSeconds(std::chrono::milliseconds(-5)), seconds(0));
}

TEST(BilledSeconds, KeepsTheMinimumThenCountsBlocks) {
  const Rate rate = rateOf(60'000'000, 0, 30, 6);
  EXPECT_EQ(billedSeconds(rate, seconds(1)), seconds(30));
  EXPECT_EQ(billedSeconds(rate, seconds(30)), seconds(30));
  EXPECT_EQ(billedSeconds(rate, seconds(31)), seconds(36));
  EXPECT_EQ(billedSeconds(rate, seconds(36)), seconds(36));
  EXPECT_EQ(billedSeconds(rate, seconds(37)), seconds(42));
}

TEST(Charge, IsZeroWhenNotAnswered) {
  EXPECT_EQ(charge(rateOf(60'000'000, 1'000'000, 60, 60), std::nullopt), 0);
}

TEST(Charge, TakesFeeAndMinimumWhenAnswered) {
  const Rate rate = rateOf(600'000, 50'000, 30, 6);
  EXPECT_EQ(charge(rate, seconds(0)), 50'000 + 300'000);
  EXPECT_EQ(charge(rate, seconds(31)), 50'000 + 360'000);
  EXPECT_EQ(firstBlockCost(rate), 350'000);
}

TEST(Charge, RoundsHalfUp) {
  // 30 billed seconds: r / 2. One second: r / 60.
  EXPECT_EQ(charge(rateOf(1, 0, 0, 1), seconds(29)), 0);  // 29/60
  EXPECT_EQ(charge(rateOf(1, 0, 0, 1), seconds(30)), 1);  // exactly a half
  EXPECT_EQ(charge(rateOf(1, 0, 0, 1), seconds(89)), 1);
  EXPECT_EQ(charge(rateOf(1, 0, 0, 1), seconds(90)), 2);
  EXPECT_EQ(charge(rateOf(29, 0, 0, 1), seconds(1)), 0);
  EXPECT_EQ(charge(rateOf(30, 0, 0, 1), seconds(1)), 1);
  EXPECT_EQ(charge(rateOf(3, 7, 0, 1), seconds(10)), 8);  // 30/60 + fee
}

TEST(Charge, AgreesWithTheFormulaTakenStepByStep) {
  for (const std::int64_t per_minute : {0, 1, 29, 30, 31, 59, 60, 61, 100, 12'345, 999'999}) {
    for (const std::int64_t connection : {0, 1, 6, 30, 60}) {
      for (const std::int64_t block : {1, 2, 6, 7, 60}) {
        for (const std::int64_t fee : {0, 1, 5'000}) {
          const Rate rate = rateOf(per_minute, fee, connection, block);
          for (std::int64_t talked = 0; talked <= 200; ++talked) {
            ASSERT_EQ(charge(rate, seconds(talked)), chargeBySteps(rate, talked))
                << per_minute << " " << fee << " " << connection << " " << block << " " << talked;
          }
        }
      }
    }
  }
}

// REQUIREMENTS 9.1, 9.2: what an amount pays for never costs more than the amount, and one second more would.
TEST(MaxSecondsFor, IsTheLargestTimeTheAmountCovers) {
  for (const std::int64_t per_minute : {1, 7, 30, 59, 60, 61, 600}) {
    for (const std::int64_t connection : {0, 1, 30}) {
      for (const std::int64_t block : {1, 6, 7, 60}) {
        for (const std::int64_t fee : {0, 3}) {
          const Rate rate = rateOf(per_minute, fee, connection, block);
          for (std::int64_t amount = 0; amount <= 120; ++amount) {
            const seconds most = maxSecondsFor(rate, amount);
            if (most > seconds(0)) {
              ASSERT_LE(charge(rate, most), amount) << per_minute << " " << fee << " " << connection << " " << block << " " << amount;
            }
            ASSERT_GT(charge(rate, most + seconds(1)), amount)
                << per_minute << " " << fee << " " << connection << " " << block << " " << amount;
          }
        }
      }
    }
  }
}

TEST(MaxSecondsFor, IsTheCapWhenTheRateIsFree) {
  EXPECT_EQ(maxSecondsFor(rateOf(0, 0, 0, 1), 0), kPaidSecondsMax);
  EXPECT_EQ(maxSecondsFor(rateOf(0, 100, 0, 1), 100), kPaidSecondsMax);
  EXPECT_EQ(maxSecondsFor(rateOf(0, 100, 0, 1), 99), seconds(0));
  EXPECT_EQ(maxSecondsFor(rateOf(1, 0, 0, 1), base::limits::kMoneyMicrosMax), kPaidSecondsMax);
}

TEST(MaxSecondsFor, IsZeroForNothingOrADebt) {
  EXPECT_EQ(maxSecondsFor(rateOf(60, 0, 0, 1), 0), seconds(0));
  EXPECT_EQ(maxSecondsFor(rateOf(60, 0, 0, 1), -1'000), seconds(0));
}

TEST(Charge, SaturatesInsteadOfOverflowing) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(charge(rateOf(kMost, kMost, 0, 1), seconds(3600)), kMost);
  // The dearest legal rate for the longest time stays exact.
  const Rate dearest = rateOf(base::limits::kRatePerMinuteMicrosMax, 0, 0, 60);
  EXPECT_EQ(charge(dearest, kPaidSecondsMax), kPaidSecondsMax.count() / 60 * base::limits::kRatePerMinuteMicrosMax);
  EXPECT_EQ(maxSecondsFor(dearest, base::limits::kMoneyMicrosMax), kPaidSecondsMax);
}

TEST(BilledSeconds, TreatsABlockOfZeroAsOneSecond) {
  EXPECT_EQ(billedSeconds(rateOf(60, 0, 0, 0), seconds(5)), seconds(5));
}

// The dearest minute (1,000,000 units) for the longest call, in rupiah; the smallest part of a dinar.
TEST(Charge, FitsEveryCurrency) {
  Rate idr = rateOf(base::limits::kRatePerMinuteMicrosMax, base::limits::kRatePerMinuteMicrosMax, 0, 1);
  idr.currency = Currency::parse("IDR").value();
  EXPECT_EQ(charge(idr, seconds(24 * 3600)), base::limits::kRatePerMinuteMicrosMax * (24 * 60 + 1));
  EXPECT_EQ(maxSecondsFor(idr, base::limits::kRatePerMinuteMicrosMax * 11), seconds(600));
  Rate kwd = rateOf(305, 1, 30, 6);
  kwd.currency = Currency::parse("KWD").value();
  EXPECT_EQ(charge(kwd, seconds(31)), 1 + 183) << "36 s at 0.000305 a minute are exactly 183 micro-units";
}

}  // namespace
}  // namespace tollgate::money
