#include <gtest/gtest.h>

#include "services/admin_api/api/operation.hpp"
#include "services/admin_api/resources/dial_plan.hpp"
#include "services/admin_api/resources/iso_codes.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {
namespace {

Json trunkBody() {
  return {{"customer_id", 1}, {"name", "Main"}, {"tech_prefix", "55"}, {"sources", Json::array({{{"network", "10.0.0.1"}}})}};
}

// The refusal of an input, as "field rule".
std::string refusal(const Resource& resource, const Json& body) {
  const auto read = readInput(resource, body, Completeness::kFull);
  return read ? "accepted" : read.error().field + " " + read.error().rule;
}

TEST(Input, FillsDefaultsOfWhatIsLeftOut) {
  // REQUIREMENTS 2.1, 2.2, 2.3: identification prefix, incoming 10, outgoing 0, PCMU and PCMA on.
  const auto trunk = readInput(trunkResource(), trunkBody(), Completeness::kFull);
  ASSERT_TRUE(trunk);
  EXPECT_EQ(textOf(*trunk, "identification"), "prefix");
  EXPECT_EQ(integerOf(*trunk, "max_concurrent_incoming"), 10);
  EXPECT_EQ((*trunk)["max_concurrent_outgoing"], 0);
  EXPECT_TRUE((*trunk)["max_cps_incoming"].is_null());
  const auto& source = (*trunk)["sources"][0];
  EXPECT_EQ(textOf(source, "network"), "10.0.0.1/32");
  EXPECT_EQ(integerOf(source, "port"), 5060);
  EXPECT_FALSE(flagOf(source, "match_port"));
  EXPECT_EQ(source["codecs"], Json::array({"PCMU", "PCMA"}));
}

TEST(Input, NamesFieldAndRuleOfWhatItRefuses) {
  struct Case {
    const char* field;
    Json value;
    const char* said;
  };
  const Case cases[] = {
      {"sources", Json::array({{{"network", "10.0.0.1/8"}}}), "sources[0].network 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}}, {{"network", "0.0.0.0/0"}}}), "sources[1].network 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}, {"port", 0}}}), "sources[0].port 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}, {"port", 65536}}}), "sources[0].port 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}, {"codecs", Json::array()}}}), "sources[0].codecs 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}, {"codecs", {"OPUS"}}}}), "sources[0].codecs 2.3"},
      {"sources", Json::array({{{"network", "10.0.0.1"}, {"colour", 1}}}), "sources[0].colour 11.1"},
      {"sources", Json::array({Json::object()}), "sources[0].network 2.3"},
      {"tech_prefix", "1234567", "tech_prefix 2.2"},
      {"tech_prefix", "5a", "tech_prefix 2.2"},
      {"identification", "registration", "identification 2.2"},
      {"relay_media", true, "relay_media 2.16"},
      {"request_uri_parameter", "user=phone;x", "request_uri_parameter 2.13"},
      {"unified_caller", "anna", "unified_caller 2.12"},
      {"max_concurrent_incoming", -1, "max_concurrent_incoming 2.1"},
      {"max_concurrent_incoming", 1.5, "max_concurrent_incoming 2.1"},
      {"max_concurrent_incoming", 18446744073709551615ULL, "max_concurrent_incoming 2.1"},
      {"outgoing_group", -1, "outgoing_group 2.14"},
      {"endpoints", Json::array({{{"address", "sip.example.com"}}}), "endpoints[0].address 2.10"},
      {"endpoints", Json::array({{{"address", "10.0.0.9"}, {"transport", "tls"}}}), "endpoints[0].transport 2.10"},
      {"name", "", "name 2.1"},
      {"name", "  ", "name 2.1"},
      {"name", nullptr, "name 2.1"},
      {"name", "a\nb", "name 2.1"},
      {"nonsense", 1, "nonsense 11.1"},
  };
  for (const auto& entry : cases) {
    auto body = trunkBody();
    body[entry.field] = entry.value;
    EXPECT_EQ(refusal(trunkResource(), body), entry.said) << body.dump();
  }
  EXPECT_EQ(refusal(trunkResource(), trunkBody()), "accepted");
}

TEST(Input, RefusesTooManyRows) {
  auto body = trunkBody();
  for (int i = 0; i < 64; ++i) {
    body["sources"].push_back({{"network", "10.1.0." + std::to_string(i)}});
  }
  EXPECT_EQ(refusal(trunkResource(), body), "sources 2.3");
}

TEST(Input, ChecksMoneyAndTimeOfRates) {
  // REQUIREMENTS 8.2: 6 decimals, not negative, billing block from 1.
  const Json good = {{"prefix", "44"}, {"rate_per_minute", "0.012345"}};
  EXPECT_EQ(refusal(rateResource(), good), "accepted");
  const std::pair<const char*, Json> cases[] = {{"rate_per_minute", "0.0123456"},
                                                {"rate_per_minute", "-1"},
                                                {"rate_per_minute", 0.5},
                                                {"rate_per_minute", "1e3"},
                                                {"billing_block_seconds", 0},
                                                {"connection_seconds", -1},
                                                {"prefix", "+44"},
                                                {"prefix", "1234567890123456"},
                                                {"valid_from", "yesterday"},
                                                {"valid_from", "2026-02-30T00:00:00Z"},
                                                {"valid_to", "2026-01-01T00:00:00"}};
  for (const auto& [field, value] : cases) {
    auto body = good;
    body[field] = value;
    EXPECT_EQ(refusal(rateResource(), body), std::string(field) + " 8.2") << body.dump();
  }
}

TEST(Input, NormalisesWhatMeansTheSame) {
  const auto rate = readInput(rateResource(), {{"prefix", "44"}, {"rate_per_minute", "1"}, {"valid_from", "2026-01-01T02:00:00+02:00"}},
                              Completeness::kFull);
  ASSERT_TRUE(rate);
  EXPECT_EQ(textOf(*rate, "rate_per_minute"), "1.000000");
  EXPECT_EQ(textOf(*rate, "valid_from"), "2026-01-01T00:00:00.000000Z");
}

TEST(Input, KnowsCountriesAndCurrencies) {
  // REQUIREMENTS 1.1, 8.1.
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}, {"country", "AM"}}), "accepted");
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}, {"country", "XX"}}), "country 1.1");
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}, {"country", "am"}}), "country 1.1");
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}}), "country 1.1");
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}, {"country", "AM"}, {"currency", "XTS"}}), "currency 8.1");
  EXPECT_EQ(refusal(customerResource(), {{"name", "Acme"}, {"country", "AM"}, {"credit_line", "-1"}}), "credit_line 1.3");
  EXPECT_EQ(refusal(ratePlanResource(), {{"name", "Retail"}, {"scope", "both"}}), "scope 8.1");
  EXPECT_FALSE(isCountry("MA "));
  EXPECT_FALSE(isCountry("D "));
  EXPECT_FALSE(isCurrency("D A"));
}

TEST(Input, OffersOnlyModesThatWork) {
  // REQUIREMENTS 3.6: cheapest and quality come later.
  for (const auto* mode : {"priority", "weight", "percent"}) {
    EXPECT_EQ(refusal(routingRuleResource(), {{"code", "44"}, {"mode", mode}}), "accepted");
  }
  for (const auto* mode : {"cheapest", "quality"}) {
    const auto read = readInput(routingRuleResource(), {{"code", "44"}, {"mode", mode}}, Completeness::kFull);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().detail.find("not available yet"), std::string::npos);
  }
  EXPECT_EQ(refusal(routingRuleResource(), {{"code", "1234567890123456"}}), "code 3.5");
}

TEST(Input, PartialKeepsToWhatWasGiven) {
  const auto patch = readInput(trunkResource(), {{"status", "disabled"}}, Completeness::kPartial);
  ASSERT_TRUE(patch);
  EXPECT_EQ(*patch, Json({{"status", "disabled"}}));
}

TEST(Input, PassesOverWhatIsReadOnly) {
  auto body = trunkBody();
  body["revision"] = 7;
  body["created_at"] = "2026-01-01T00:00:00Z";
  body["live_incoming"] = 3;
  body["sources"][0]["id"] = 4;
  const auto trunk = readInput(trunkResource(), body, Completeness::kFull);
  ASSERT_TRUE(trunk) << trunk.error().detail;
  EXPECT_FALSE(trunk->contains("revision"));
  EXPECT_FALSE((*trunk)["sources"][0].contains("id"));
}

TEST(Body, RefusesWhatIsNotPlainJson) {
  EXPECT_TRUE(parseBody(R"({"a": [1, {"a": 2}]})"));
  const std::string deep(40, '[');
  for (const std::string& text : {std::string("{"), std::string(""), std::string("{\"a\":1,\"a\":2}"), deep + std::string(40, ']'),
                                  std::string("{\"a\":\"\xff\"}"), std::string("{} {}")}) {
    const auto read = parseBody(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().status, 400);
  }
}

TEST(Body, BoundsTheNumberOfValues) {
  const auto listOf = [](std::size_t objects) {
    std::string text = "[";
    for (std::size_t i = 0; i < objects; ++i) {
      text += i == 0 ? "{}" : ",{}";
    }
    return text + "]";
  };
  const auto full = parseBody(listOf(base::limits::kJsonValuesMax - 1));  // the list is a value too
  ASSERT_TRUE(full) << full.error().detail;
  EXPECT_EQ(full->size(), base::limits::kJsonValuesMax - 1);
  const auto over = parseBody(listOf(base::limits::kJsonValuesMax));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().status, 400);
  EXPECT_NE(over.error().detail.find("10000 values"), std::string::npos) << over.error().detail;
}

TEST(Body, OfManySmallObjectsIsRefusedAtTheLimitAndNotReadToItsEnd) {
  // One object with 100,000 members that are objects: with time by the square of the members this test runs into its limit of time.
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{}";
  }
  const auto read = parseBody(text + "} and no JSON behind it");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().detail.find("10000 values"), std::string::npos) << read.error().detail;
}

TEST(Cursor, ComesBackAsItWas) {
  http::Request request;
  const Call call{request, nullptr, ""};
  EXPECT_EQ(call.cursor().value_or("?"), nullptr);
  for (const Json& content : {Json(7), Json("ab"), Json("abc"), Json("abcd"), Json::array({"x", "\xc3\xa9", 5})}) {
    request.query["cursor"] = encodeCursor(content);
    EXPECT_EQ(call.cursor().value_or("?"), content);
  }
  for (const auto* text : {"not a cursor!", "AAAA"}) {
    request.query["cursor"] = text;
    EXPECT_FALSE(call.cursor()) << text;
  }
}

TEST(Time, ReadsRfc3339Only) {
  EXPECT_EQ(base::formatRfc3339(parseTime("2026-11-21T10:20:30.5Z").value()), "2026-11-21T10:20:30.500000Z");
  EXPECT_EQ(base::formatRfc3339(parseTime("2024-02-29T23:59:59-01:00").value()), "2024-03-01T00:59:59.000000Z");
  EXPECT_EQ(base::formatRfc3339(parseTime("2026-11-21t10:20:30.123456789z").value()), "2026-11-21T10:20:30.123456Z");
  EXPECT_EQ(base::formatRfc3339(parseTime("2026-11-21 10:20:30+05:30").value()), "2026-11-21T04:50:30.000000Z");
  for (const auto* text :
       {"", "2026-11-21", "2026-02-30T10:20:30Z", "2026-11-21T10:60:30Z", "2026-11-21T10:20:60Z", "3000-01-01T00:00:00Z",
        "2026-11-21T10:20:30+24:00", "2026-11-21T10:20:30+01:60", "2026-11-21T10:20Z", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T10:20:30.Z", "2026-11-21T10:20:30+1:00", "-026-11-21T10:20:30Z", "1969-11-21T10:20:30Z", "2026-11-21T10:20:30Zx"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

TEST(DialPlan, NamesTheCountryOfACode) {
  // REQUIREMENTS 3.5.
  EXPECT_EQ(dialPlanLabel("374"), "Armenia");
  EXPECT_EQ(dialPlanLabel("37499"), "Armenia");
  EXPECT_EQ(dialPlanLabel("44"), "United Kingdom");
  EXPECT_EQ(dialPlanLabel("4479"), "United Kingdom");
  EXPECT_EQ(dialPlanLabel("1"), "United States and Canada");
  EXPECT_EQ(dialPlanLabel("1212"), "United States and Canada");
  EXPECT_EQ(dialPlanLabel("1876"), "Jamaica");
  EXPECT_EQ(dialPlanLabel("7"), "Russia");
  EXPECT_EQ(dialPlanLabel("7727"), "Kazakhstan");
  EXPECT_EQ(dialPlanLabel(""), "any");
  EXPECT_EQ(dialPlanLabel("37"), "several countries");
  EXPECT_EQ(dialPlanLabel("3"), "several countries");
  EXPECT_EQ(dialPlanLabel("210"), "unassigned");
  EXPECT_EQ(dialPlanLabel("999"), "unassigned");
}

}  // namespace
}  // namespace tollgate::admin_api
