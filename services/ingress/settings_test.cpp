#include "services/ingress/settings.hpp"

#include <gtest/gtest.h>

namespace tollgate::ingress {
namespace {

TEST(ParseListen, TakesBothFamilies) {
  const auto v4 = parseListen("udp:127.0.0.1:5060");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->address, "127.0.0.1");
  EXPECT_EQ(v4->port, 5060);
  const auto v6 = parseListen("udp:[2001:db8::1]:5080");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->address, "2001:db8::1");
  EXPECT_EQ(v6->port, 5080);
}

TEST(ParseListen, NamesWhatIsWrong) {
  for (const auto* text : {"", "127.0.0.1:5060", "tcp:127.0.0.1:5060", "udp:127.0.0.1", "udp:sip.example.com:5060", "udp:127.0.0.1:70000",
                           "udp:127.0.0.1:", "udp:2001:db8::1:5060", "udp:127.0.0.1:5060x"}) {
    const auto parsed = parseListen(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, base::ErrorCode::kInvalid);
    EXPECT_NE(parsed.error().message.find("udp:ADDRESS:PORT"), std::string::npos);
  }
}

TEST(ReadSettings, HasTheDefaultsOfTheRequirements) {
  config::Loader loader("ingress", {});
  const auto settings = readSettings(loader);
  ASSERT_TRUE(loader.finish());
  ASSERT_EQ(settings.listen.size(), 1U);
  EXPECT_EQ(settings.listen[0].port, 5060);
  EXPECT_EQ(settings.policy.try_timeout, std::chrono::seconds(4));       // REQUIREMENTS 5.2
  EXPECT_EQ(settings.policy.ringing_timeout, std::chrono::seconds(90));  // REQUIREMENTS 5.3
  EXPECT_FALSE(settings.drop_unknown_sources);
  EXPECT_TRUE(settings.server_name.empty());  // REQUIREMENTS 6.1
}

// REQUIREMENTS 12.1: a wrong configuration stops start-up with the reason.
TEST(ReadSettings, RefusesWhatIsWrongAndSaysWhy) {
  config::Loader loader("ingress", {{"TOLLGATE_INGRESS_LISTEN", "tcp:127.0.0.1:5060"},
                                    {"TOLLGATE_INGRESS_UNKNOWN_SOURCE", "ignore"},
                                    {"TOLLGATE_INGRESS_ADVERTISED_ADDRESS", "sip.example.com"},
                                    {"TOLLGATE_INGRESS_REJECT_MAP", "no_such_reason=404/3"}});
  (void)readSettings(loader);
  const auto finished = loader.finish();
  ASSERT_FALSE(finished);
  for (const auto* name : {"listen", "unknown_source", "advertised_address", "reject_map"}) {
    EXPECT_NE(finished.error().message.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace tollgate::ingress
