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

}  // namespace
}  // namespace tollgate::sql
