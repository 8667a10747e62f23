#include "libs/digits/digits.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "libs/base/random.hpp"
#include "libs/digits/prefix_map.hpp"

namespace tollgate::digits {
namespace {

std::string randomDigits(base::Random& random, std::size_t length_max, unsigned alphabet) {
  std::string out(random.next() % (length_max + 1), '0');
  for (char& c : out) {
    c = static_cast<char>('0' + random.next() % alphabet);
  }
  return out;
}

PrefixCode code(std::string_view text) {
  return PrefixCode::parse(text).value();
}

// REQUIREMENTS 2.5: a leading + is not part of the comparison.
TEST(Digits, DropsPlusSeparatorsAndUserParameters) {
  for (const char* user : {"37410555", "+37410555", "%2B37410555", "+374-10-555", "(374)10.555", "37410555;npdi=yes"}) {
    const auto digits = Digits::fromUserPart(user);
    ASSERT_TRUE(digits) << user;
    EXPECT_EQ(digits->view(), "37410555") << user;
  }
  EXPECT_TRUE(Digits::fromUserPart("+")->empty());
  EXPECT_TRUE(Digits::fromUserPart("")->empty());
}

TEST(Digits, RefusesLettersAndLongNumbers) {
  for (const char* user : {"alice", "374a", "++374", "374+", "374#", "*100", "37410 555", "%2"}) {
    EXPECT_FALSE(Digits::fromUserPart(user)) << user;
  }
  EXPECT_TRUE(Digits::parse(std::string(32, '1')));
  EXPECT_FALSE(Digits::parse(std::string(33, '1')));
  EXPECT_FALSE(Digits::parse("+1"));
}

TEST(Digits, StripsFromTheFront) {
  const Digits number = Digits::parse("5537410").value();
  EXPECT_TRUE(number.startsWith("55"));
  EXPECT_FALSE(number.startsWith("553741099"));
  EXPECT_EQ(number.without(2).view(), "37410");
  EXPECT_TRUE(number.without(7).empty());
  EXPECT_TRUE(number.without(99).empty());
}

TEST(PrefixCode, KeepsTextLengthAndOrder) {
  base::SeededRandom random(3);
  for (int round = 0; round < 5000; ++round) {
    const std::string left = randomDigits(random, 15, round % 2 == 0 ? 2 : 10);
    const std::string right = randomDigits(random, 15, round % 2 == 0 ? 2 : 10);
    EXPECT_EQ(code(left).text(), left);
    EXPECT_EQ(code(left).size(), left.size());
    EXPECT_EQ(code(left) < code(right), left < right) << left << " " << right;
    EXPECT_EQ(code(left).starts(code(right)), right.starts_with(left)) << left << " " << right;
  }
}

// REQUIREMENTS 3.5: a code has 0-15 digits.
TEST(PrefixCode, RefusesMoreThanFifteenDigitsAndLetters) {
  EXPECT_TRUE(PrefixCode::parse(""));
  EXPECT_TRUE(PrefixCode::parse(std::string(15, '9')));
  EXPECT_FALSE(PrefixCode::parse(std::string(16, '9')));
  EXPECT_FALSE(PrefixCode::parse("37x"));
}

TEST(PrefixCode, HeadStopsAfterFifteenDigitsAndAtTheFirstOtherCharacter) {
  EXPECT_EQ(PrefixCode::head("12345678901234567890").text(), "123456789012345");
  EXPECT_EQ(PrefixCode::head("374#10").text(), "374");
  EXPECT_EQ(PrefixCode::head("#374").text(), "");
}

// REQUIREMENTS 3.3: the longest code that starts the number wins; the empty code is the catch-all.
TEST(PrefixMap, VisitsLongestFirstAndEqualCodesInTheOrderGiven) {
  const PrefixMap<int> map({{code("374"), 1}, {code(""), 0}, {code("37410"), 2}, {code("374"), 3}, {code("44"), 4}});
  const auto found = [&map](std::string_view number) {
    std::vector<int> values;
    map.visit(PrefixCode::head(number), [&values](PrefixCode, int value) {
      values.push_back(value);
      return true;
    });
    return values;
  };
  EXPECT_EQ(found("37410555"), (std::vector<int>{2, 1, 3, 0}));
  EXPECT_EQ(found("3741"), (std::vector<int>{1, 3, 0}));
  EXPECT_EQ(found("37"), (std::vector<int>{0}));
  EXPECT_EQ(found(""), (std::vector<int>{0}));
  EXPECT_EQ(found("4420"), (std::vector<int>{4, 0}));
  EXPECT_EQ(found("4"), (std::vector<int>{0}));
}

TEST(PrefixMap, EmptyMapVisitsNothing) {
  PrefixMap<int>().visit(PrefixCode::head("4420"), [](PrefixCode, int) {
    ADD_FAILURE();
    return true;
  });
}

// A changed map is built from the entries of the one before: equal codes must keep their order.
TEST(PrefixMap, EntriesBuildTheSameMapAgain) {
  const std::vector<PrefixMap<int>::Entry> sorted{{code(""), 0}, {code("374"), 3}, {code("374"), 1}, {code("374"), 2}, {code("44"), 4}};
  const PrefixMap<int> map(sorted);
  EXPECT_EQ(map.entries(), sorted);
  EXPECT_EQ(PrefixMap<int>(map.entries()).entries(), sorted);
  std::vector<int> values(map.values().begin(), map.values().end());
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(PrefixMap, AgreesWithTheNaiveSearchOnRandomCodes) {
  base::SeededRandom random(11);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::pair<PrefixCode, int>> entries;
    for (int at = 0; at < 150; ++at) {
      entries.emplace_back(code(randomDigits(random, round % 2 == 0 ? 6 : 15, round % 3 == 0 ? 10 : 2)), at);
    }
    const PrefixMap<int> map(entries);
    for (int probe = 0; probe < 200; ++probe) {
      const std::string number = randomDigits(random, 32, round % 3 == 0 ? 10 : 2);
      std::vector<int> expected;
      for (std::size_t length = 16; length-- > 0;) {
        for (const auto& [prefix, value] : entries) {
          if (prefix.size() == length && number.starts_with(prefix.text())) {
            expected.push_back(value);
          }
        }
      }
      std::vector<int> seen;
      map.visit(PrefixCode::head(number), [&seen](PrefixCode, int value) {
        seen.push_back(value);
        return true;
      });
      ASSERT_EQ(seen, expected) << number;
    }
  }
}

}  // namespace
}  // namespace tollgate::digits
