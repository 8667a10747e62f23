// The client against the server it will most often meet.
#include "libs/http/client.hpp"

#include <gtest/gtest.h>

#include "libs/http/server.hpp"

namespace tollgate::http {
namespace {

TEST(Client, GivesStatusHeadersAndBody) {
  Server server({});
  server.route("GET", "/thing", [](const Request&) { return Response{201, "text/plain", "made", {{"X-Here", "yes"}}}; });
  ASSERT_TRUE(server.start());
  const auto answer = get(server.port(), "/thing");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "made");
  EXPECT_EQ(answer->headers.at("x-here"), "yes");
}

TEST(Client, SaysUnavailableWhenNobodyListens) {
  std::uint16_t port = 0;
  {
    Server server({});
    ASSERT_TRUE(server.start());
    port = server.port();
  }
  const auto answer = get(port, "/");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace tollgate::http
