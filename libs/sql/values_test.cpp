// Values without a server.
#include <gtest/gtest.h>

#include "libs/sql/sql.hpp"

namespace tollgate::sql {
namespace {

TEST(Fit, CutsByCharactersAndReplacesWhatIsNoText) {
  EXPECT_EQ(fit("abcdef", 3), "abc");
  EXPECT_EQ(fit("h\xC3\xA9llo", 3), "h\xC3\xA9l");
  EXPECT_EQ(fit("a\xFF"
                "b\xC3",
                10),
            "a?b?");
  EXPECT_EQ(fit("\xED\xA0\x80", 10), "???");  // a surrogate
  EXPECT_EQ(fit(std::string_view("a\0b", 3), 10), "a?b");
  EXPECT_EQ(fit("\xF0\x9F\x98\x80", 1), "\xF0\x9F\x98\x80");
}

TEST(ToTime, RefusesWhatIsNoDateTime) {
  EXPECT_TRUE(toTime(std::string("2026-02-28 23:59:59.999999")));
  for (const char* text :
       {"-026-11-21 10:20:30", "2026-02-29 10:20:30", "2026-11-21 24:00:00", "2026-11-21 10:20:60", "2026-11-21 -1:20:30",
        "2026-11-21T10:20:30", "2026-11-21 10:20:30Z", "2026-11-21 10:20:30.12345x", "2026-11-21 10:20:30,123456"}) {
    EXPECT_FALSE(toTime(std::string(text))) << text;
  }
}

}  // namespace
}  // namespace tollgate::sql
