#include "libs/http/router.hpp"

#include <gtest/gtest.h>

#include "libs/http/uri.hpp"

namespace tollgate::http {
namespace {

using Words = std::vector<std::string>;

Handler nothing() {
  return [](const Request&) { return Response{}; };
}

Match find(const Router& router, std::string_view method, std::string_view path) {
  return router.find(method, *splitPath(path));
}

TEST(Uri, DecodesSegmentsOneByOne) {
  EXPECT_EQ(*splitPath("/v1/a%2Fb/%C3%A9+"), (Words{"v1", "a/b", "\xC3\xA9+"}));
}

TEST(Uri, RefusesBrokenEscapes) {
  for (const char* path : {"/a%", "/a%2", "/a%zz", "/a%00", "a"}) {
    EXPECT_FALSE(splitPath(path)) << path;
  }
}

TEST(Uri, ReadsQueryWithPlusAndEscapes) {
  const auto query = parseQuery("a=1&b=x+y%26z&c&&a=2");
  ASSERT_TRUE(query);
  EXPECT_EQ(*query, (std::map<std::string, std::string>{{"a", "2"}, {"b", "x y&z"}, {"c", ""}}));
  EXPECT_FALSE(parseQuery("a=%4"));
}

TEST(Router, GivesParametersOfThePattern) {
  Router router;
  router.add("GET", "/v1/trunks/{id}/sources/{row}", nothing());
  const Match match = find(router, "GET", "/v1/trunks/7/sources/9");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameters, (std::map<std::string, std::string>{{"id", "7"}, {"row", "9"}}));
}

TEST(Router, PrefersLiteralSegmentWhateverTheOrder) {
  Router router;
  router.add("GET", "/calls/{id}", nothing());
  router.add("DELETE", "/calls/{id}", nothing());
  router.add("GET", "/calls/live", nothing());
  EXPECT_EQ(find(router, "GET", "/calls/live").route->pattern, "/calls/live");
  EXPECT_EQ(find(router, "GET", "/calls/other").route->pattern, "/calls/{id}");
  // The literal path has no DELETE; the parameter's must not be reached by a name that means something else.
  EXPECT_EQ(find(router, "DELETE", "/calls/live").route, nullptr);
}

TEST(Router, NamesAllowedMethodsWhenOnlyTheMethodIsWrong) {
  Router router;
  router.add("GET", "/v1/rates", nothing());
  router.add("POST", "/v1/rates", nothing());
  const Match match = find(router, "DELETE", "/v1/rates");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, (std::set<std::string>{"GET", "HEAD", "OPTIONS", "POST"}));
  EXPECT_TRUE(find(router, "GET", "/v1/rates/").allowed.empty());
}

TEST(Router, DoesNotMatchAnEmptyParameter) {
  Router router;
  router.add("GET", "/v1/trunks/{id}", nothing());
  EXPECT_EQ(find(router, "GET", "/v1/trunks/").route, nullptr);
}

}  // namespace
}  // namespace tollgate::http
