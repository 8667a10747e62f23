#include "services/admin_api/api/access.hpp"

#include <gtest/gtest.h>

#include "libs/testkit/fake_clock.hpp"
#include "services/admin_api/api/operation.hpp"

namespace tollgate::admin_api {
namespace {

constexpr const char* kBasic = "Basic YWRtaW46c2VjcmV0LXBhc3N3b3Jk";  // admin:secret-password
constexpr const char* kWrong = "Basic YWRtaW46c2VjcmV0LXBhc3N3b3Jl";  // another last letter

http::Request requestFrom(const std::string& address, const std::string& authorization) {
  http::Request request;
  request.method = "GET";
  request.path = "/v1/customers";
  request.remote_address = address;
  if (!authorization.empty()) {
    request.headers["authorization"] = authorization;
  }
  return request;
}

class AccessTest : public ::testing::Test {
 protected:
  int status(http::Request request) {
    const auto refusal = access.check(request);
    author = request.headers.contains(kAuthorHeader) ? request.headers[kAuthorHeader] : "";
    return refusal ? refusal->status : 200;
  }

  testkit::FakeClock clock;
  Access access{Admin{"admin", "secret-password", "0123456789abcdef"}, {.failures_per_minute_max = 3}, clock};
  std::string author;
};

TEST_F(AccessTest, TakesBasicAndBearer) {
  // REQUIREMENTS 11.2.
  EXPECT_EQ(status(requestFrom("192.0.2.1", kBasic)), 200);
  EXPECT_EQ(author, "admin");
  EXPECT_EQ(status(requestFrom("192.0.2.1", "bearer 0123456789abcdef")), 200);
  EXPECT_EQ(author, "admin");
}

TEST_F(AccessTest, ChallengesWhatIsNotValid) {
  Access lenient{Admin{"admin", "secret-password", ""}, {.failures_per_minute_max = 1000}, clock};
  for (const auto* given :
       {"", "Basic", "Basic !!!!", "Basic YWRtaW4=", kWrong, "Bearer ", "Bearer 0123456789abcdef", "Digest x", "Bearer"}) {
    auto request = requestFrom("192.0.2.1", given);
    const auto refusal = lenient.check(request);
    ASSERT_TRUE(refusal) << given;
    EXPECT_EQ(refusal->status, 401) << given;
    EXPECT_TRUE(refusal->headers.at("WWW-Authenticate").starts_with("Basic realm"));
    EXPECT_EQ(refusal->content_type, "application/problem+json");
  }
}

TEST_F(AccessTest, DropsAnAuthorTheClientSent) {
  auto request = requestFrom("192.0.2.1", "");
  request.path = "/v1/openapi.json";
  request.headers[kAuthorHeader] = "somebody";
  access.makePublic("/v1/openapi.json");
  EXPECT_FALSE(access.check(request));
  EXPECT_FALSE(request.headers.contains(kAuthorHeader));
}

TEST_F(AccessTest, MakesAnAddressThatFailsTooOftenWait) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 401);
  }
  EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 429);
  EXPECT_EQ(status(requestFrom("192.0.2.1", "")), 429);
  EXPECT_EQ(status(requestFrom("192.0.2.2", kWrong)), 401) << "another address is not concerned";
  clock.advance(std::chrono::seconds(61));
  EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 401);
}

TEST_F(AccessTest, DoesNotTellAnAddressThatWaitsThatItsGuessWasRight) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 401);
  }
  const auto answerTo = [&](const char* credentials) {
    auto request = requestFrom("192.0.2.1", credentials);
    const auto refusal = access.check(request);
    EXPECT_FALSE(request.headers.contains(kAuthorHeader));
    return refusal ? std::to_string(refusal->status) + refusal->body + refusal->headers.at("Retry-After") : "passed";
  };
  const std::string wrong = answerTo(kWrong);
  EXPECT_TRUE(wrong.starts_with("429"));
  EXPECT_EQ(answerTo(kBasic), wrong);
  EXPECT_EQ(answerTo("Bearer 0123456789abcdef"), wrong);
  clock.advance(std::chrono::seconds(61));
  EXPECT_EQ(status(requestFrom("192.0.2.1", kBasic)), 200);
}

TEST_F(AccessTest, DoesNotLockTheAccountOutFromOtherAddresses) {
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(status(requestFrom("192.0.2.1", kWrong)));
  }
  EXPECT_EQ(status(requestFrom("192.0.2.1", kBasic)), 429);
  EXPECT_EQ(status(requestFrom("192.0.2.2", kBasic)), 200);
  EXPECT_EQ(status(requestFrom("192.0.2.3", "Bearer 0123456789abcdef")), 200);
}

// As many addresses as are counted at most, and more.
TEST_F(AccessTest, CountsEachOfManyAddressesForItself) {
  for (int i = 0; i < 10'000; ++i) {
    clock.advance(std::chrono::milliseconds(1));
    ASSERT_EQ(status(requestFrom("2001:db8::" + std::to_string(i), kWrong)), 401);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 401);
  }
  EXPECT_EQ(status(requestFrom("192.0.2.1", kWrong)), 429);
  EXPECT_EQ(status(requestFrom("192.0.2.2", kBasic)), 200);
  EXPECT_EQ(status(requestFrom("192.0.2.2", kWrong)), 401);
}

TEST(Admin, IsReadFromItsFile) {
  EXPECT_TRUE(Admin::parse(R"({"name":"root","password":"long enough"})"));
  for (const auto* text : {"", "[]", R"({"name":"","password":"long enough"})", R"({"name":"a:b","password":"long enough"})",
                           R"({"name":"root","password":"short"})", R"({"name":"root","password":"long enough","api_key":"short"})"}) {
    EXPECT_FALSE(Admin::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tollgate::admin_api
