// The API as a client sees it: create, read, replace, patch, delete, lists, preconditions, credentials (REQUIREMENTS 11.1).
#include <set>
#include <thread>

#include "libs/testkit/wait.hpp"
#include "tests/component/admin_api_world.hpp"

namespace tollgate::admin_api {
namespace {

using nlohmann::json;

TEST_F(AdminApi, RefusesWithoutCredentials) {
  // REQUIREMENTS 11.2: 401, challenge, problem document.
  for (const auto& headers : {Headers{}, Headers{{"Authorization", "Bearer wrong-key-wrong-key"}}}) {
    const auto answer = raw("GET", "/v1/customers", headers, "");
    EXPECT_EQ(answer.status, 401);
    EXPECT_TRUE(answer.headers.contains("www-authenticate"));
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
  }
  EXPECT_EQ(raw("GET", "/v1/whoami", {{"Authorization", "Bearer 0123456789abcdef"}}, "").body["name"], "admin");
  EXPECT_EQ(raw("GET", "/v1/openapi.json", {}, "").body["openapi"], "3.1.0");
}

TEST_F(AdminApi, PutCreatesThenReplacesThenChangesNothing) {
  // REQUIREMENTS 11.1: the same call twice is not an error.
  const json body = {{"name", "Put"}, {"country", "GB"}, {"email", "ops@example.com"}};
  const auto first = call("PUT", "/v1/customers/1000000", body);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.headers.at("location"), "/v1/customers/1000000");
  EXPECT_EQ(first.headers.at("etag"), "\"1\"");
  const auto before = version();
  const auto second = call("PUT", "/v1/customers/1000000", body);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.headers.at("etag"), "\"1\"");
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(version(), before) << "nothing changed, so no version was used";
  const auto third = call("PUT", "/v1/customers/1000000", {{"name", "Put"}, {"country", "GB"}});
  EXPECT_EQ(third.status, 200);
  EXPECT_TRUE(third.body["email"].is_null()) << "PUT replaces";
  EXPECT_EQ(third.headers.at("etag"), "\"2\"");
  EXPECT_EQ(call("PUT", "/v1/customers/1000000", third.body).status, 200) << "what GET gives can be PUT";
}

TEST_F(AdminApi, EveryEntityIsCreatedReadPatchedAndDeleted) {
  const auto owner = customer();
  const auto out = carrier(owner);
  const auto code_rule = rule("374");
  const auto caller = trunk(owner);
  const auto retail = plan();
  const struct {
    std::string path;
    json body;
    json patch;
  } cases[] = {
      {"/v1/customers", {{"name", "A"}, {"country", "GB"}}, {{"name", "B"}}},
      {"/v1/trunks", trunkBody(owner, json::object()), {{"max_cps_incoming", 5}}},
      {"/v1/routing-rules", {{"code", "44"}, {"targets", {{{"trunk_id", out}, {"weight", 3}}}}}, {{"active", false}}},
      {"/v1/dialpeers",
       {{"display_name", "D"}, {"customer_id", owner}, {"trunk_id", caller}, {"routing_rule_id", code_rule}},
       {{"active", false}}},
      {"/v1/rate-plans", {{"name", "P"}, {"scope", "vendor"}}, {{"name", "Q"}}},
      {"/v1/rate-plans/" + std::to_string(retail) + "/rates", {{"prefix", "44"}, {"rate_per_minute", "0.012"}}, {{"description", "UK"}}},
  };
  for (const auto& entry : cases) {
    SCOPED_TRACE(entry.path);
    const auto created = call("POST", entry.path, entry.body);
    ASSERT_EQ(created.status, 201) << created.body.dump();
    const auto item = created.headers.at("location");
    EXPECT_EQ(item, entry.path + "/" + std::to_string(created.id()));
    EXPECT_EQ(get(item).body, created.body);
    const auto patched = call("PATCH", item, entry.patch);
    EXPECT_EQ(patched.status, 200) << patched.body.dump();
    EXPECT_EQ(patched.body["revision"], 2);
    for (const auto& [name, value] : entry.patch.items()) {
      EXPECT_EQ(patched.body[name], value);
    }
    EXPECT_EQ(call("DELETE", item).status, 204);
    EXPECT_EQ(get(item).status, 404);
    EXPECT_EQ(call("DELETE", item).status, 404);
    EXPECT_EQ(call("PATCH", item, entry.patch).status, 404);
  }
}

TEST_F(AdminApi, EveryChangeIsInTheAuditLogAndOnTheBus) {
  // REQUIREMENTS 11.2; ARCHITECTURE "Snapshots": versions without gaps.
  const auto before = version();
  const int events = neighbours().config_events;
  const auto id = customer();
  EXPECT_EQ(call("PATCH", "/v1/customers/" + std::to_string(id), {{"status", "blocked"}}).status, 200);
  EXPECT_EQ(call("DELETE", "/v1/customers/" + std::to_string(id)).status, 204);
  const auto rows = query(
      "SELECT version, action, author, before_json, after_json FROM config_changes WHERE entity = 'customer' AND entity_id = ? "
      "ORDER BY version",
      {id});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].integer(0), before + 1);
  EXPECT_EQ(rows[2].integer(0), before + 3);
  EXPECT_TRUE(rows[0].isNull(3));
  EXPECT_EQ(rows[1].text(2), "admin");
  EXPECT_EQ(json::parse(rows[1].text(3))["status"], "active");
  EXPECT_EQ(json::parse(rows[1].text(4))["status"], "blocked");
  EXPECT_EQ(rows[2].text(1), "deleted");
  EXPECT_TRUE(rows[2].isNull(4));
  EXPECT_TRUE(testkit::waitUntil([&] { return neighbours().config_events >= events + 3; }));
}

TEST_F(AdminApi, RefusedChangesLeaveNothing) {
  const auto before = version();
  const auto changes = query("SELECT COUNT(*) FROM config_changes")[0].integer(0);
  EXPECT_EQ(outcomeOf(call("POST", "/v1/trunks", trunkBody(999999, json::object()))), "422 customer_id 1.4");
  EXPECT_EQ(outcomeOf(call("PUT", "/v1/customers/5000000", {{"name", ""}, {"country", "GB"}})), "422 name 1.1");
  EXPECT_EQ(version(), before);
  EXPECT_EQ(query("SELECT COUNT(*) FROM config_changes")[0].integer(0), changes);
  EXPECT_EQ(get("/v1/customers/5000000").status, 404);
}

TEST_F(AdminApi, ETagsGuardAgainstLostUpdates) {
  const auto path = "/v1/customers/" + std::to_string(customer());
  EXPECT_EQ(get(path).headers.at("etag"), "\"1\"");
  EXPECT_EQ(call("PATCH", path, {{"name", "One"}}, {{"If-Match", "\"1\""}}).status, 200);
  EXPECT_EQ(outcomeOf(call("PATCH", path, {{"name", "Two"}}, {{"If-Match", "\"1\""}})), "412 11.1");
  EXPECT_EQ(outcomeOf(call("DELETE", path, nullptr, {{"If-Match", "\"1\""}})), "412 11.1");
  EXPECT_EQ(outcomeOf(call("PUT", path, {{"name", "Three"}, {"country", "GB"}}, {{"If-None-Match", "*"}})), "412 11.1");
  EXPECT_EQ(outcomeOf(call("PUT", "/v1/customers/6000000", {{"name", "N"}, {"country", "GB"}}, {{"If-Match", "*"}})), "412 11.1");
  EXPECT_EQ(get(path).body["name"], "One");
  EXPECT_EQ(call("DELETE", path, nullptr, {{"If-Match", "\"2\""}}).status, 204);
}

TEST_F(AdminApi, ListsPageFilterAndSort) {
  const std::string email = "?email=paging@example.com";
  std::vector<std::int64_t> ids;
  for (const auto* name : {"c", "a", "b", "b", "a"}) {
    ids.push_back(customer({{"name", name}, {"email", "paging@example.com"}}));
  }
  std::vector<std::int64_t> seen;
  std::string cursor;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = get("/v1/customers" + email + "&limit=2&sort=name" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(page.status, 200) << page.body.dump();
    for (const auto& item : page.body["items"]) {
      seen.push_back(item["id"]);
    }
    if (page.body["next"].is_null()) {
      break;
    }
    cursor = page.body["next"];
  }
  EXPECT_EQ(seen, (std::vector<std::int64_t>{ids[1], ids[4], ids[2], ids[3], ids[0]}));
  const auto falling = get("/v1/customers" + email + "&sort=-id&limit=1");
  EXPECT_EQ(falling.body["items"][0]["id"], ids[4]);
  EXPECT_EQ(get("/v1/customers" + email + "&name=b").body["items"].size(), 2U);
  EXPECT_EQ(outcomeOf(get("/v1/customers?colour=red")), "400 colour 11.1");
  EXPECT_EQ(outcomeOf(get("/v1/customers?limit=501")), "400 limit 11.1");
  EXPECT_EQ(outcomeOf(get("/v1/customers?sort=phone")), "400 sort 11.1");
  EXPECT_EQ(outcomeOf(get("/v1/customers?sort=-id&cursor=" + cursor)), "400 cursor 11.1") << "a cursor belongs to its order";
  EXPECT_EQ(outcomeOf(get("/v1/customers?cursor=%21%21")), "400 cursor 11.1");
}

TEST_F(AdminApi, BadBodiesAreRefusedByKind) {
  // REQUIREMENTS 11.1.
  const Headers access = {{"Authorization", "Bearer 0123456789abcdef"}};
  const auto with = [&access](Headers more) {
    more.insert(access.begin(), access.end());
    return more;
  };
  EXPECT_EQ(raw("POST", "/v1/customers", with({{"Content-Type", "text/plain"}}), "{}").status, 415);
  EXPECT_EQ(raw("POST", "/v1/customers", access, "{}").status, 415);
  EXPECT_EQ(raw("POST", "/v1/customers", with({{"Content-Type", "application/json"}}), "{").status, 400);
  EXPECT_EQ(raw("POST", "/v1/customers", with({{"Content-Type", "application/json"}}), "[]").status, 422);
  EXPECT_EQ(raw("POST", "/v1/customers", with({{"Content-Type", "application/json"}}), std::string(2U << 20U, ' ')).status, 413);
  EXPECT_EQ(outcomeOf(call("POST", "/v1/customers", {{"name", "A"}, {"country", "GB"}, {"colour", 1}})), "422 colour 11.1");
  EXPECT_EQ(outcomeOf(call("PUT", "/v1/customers/7000000", {{"id", 5}, {"name", "A"}, {"country", "GB"}})), "422 id 11.1");
  EXPECT_EQ(outcomeOf(get("/v1/customers/abc")), "400 id 11.1");
  EXPECT_EQ(outcomeOf(get("/v1/customers/-1")), "400 id 11.1");
  EXPECT_EQ(call("DELETE", "/v1/customers").status, 405);
  EXPECT_EQ(call("GET", "/v1/nothing").status, 404);
  const auto path = "/v1/customers/" + std::to_string(customer());
  EXPECT_EQ(call("PATCH", path, {{"name", "M"}}, {{"Content-Type", "application/merge-patch+json"}}).status, 200);
}

TEST_F(AdminApi, PostTakesAChosenIdOnce) {
  // REQUIREMENTS 2.1: the id is chosen by the caller or assigned.
  EXPECT_EQ(call("POST", "/v1/customers", {{"id", 2000000}, {"name", "A"}, {"country", "GB"}}).id(), 2000000);
  EXPECT_EQ(outcomeOf(call("POST", "/v1/customers", {{"id", 2000000}, {"name", "A"}, {"country", "GB"}})), "409 id 11.1");
  EXPECT_GT(customer(), 2000000);
}

TEST_F(AdminApi, SourceRowsKeepTheirIdsWhereTheySayTheSame) {
  const auto id = trunk(customer());
  const auto path = "/v1/trunks/" + std::to_string(id);
  const auto kept = get(path).body["sources"][0];
  const auto answer =
      call("PATCH", path, {{"sources", {{{"network", freshNetwork()}}, {{"network", kept["network"]}, {"note", "moved down"}}}}});
  ASSERT_EQ(answer.status, 200) << answer.body.dump();
  EXPECT_EQ(answer.body["sources"][1]["id"], kept["id"]);
  EXPECT_NE(answer.body["sources"][0]["id"], kept["id"]);
}

TEST_F(AdminApi, ListsShowTheirColumns) {
  // REQUIREMENTS 1.5, 2.7, 3.7.
  const auto owner = customer({{"name", "Columns"}});
  const auto retail = plan();
  const auto id = trunk(
      owner,
      {{"rate_plan_id", retail},
       {"sources", {{{"network", freshNetwork()}, {"codecs", {"G729"}}}, {{"network", freshNetwork()}, {"codecs", {"PCMA", "G729"}}}}}});
  {
    const std::lock_guard lock(neighbours().mutex);
    neighbours().loads[id].set_incoming(3);
  }
  const auto code_rule = rule("374");
  make("/v1/dialpeers", {{"display_name", "D"}, {"customer_id", owner}, {"trunk_id", id}, {"routing_rule_id", code_rule}});
  execute("INSERT INTO accounts (account, currency, balance_micros) VALUES (?, 'USD', 12500000)", {"customer:" + std::to_string(owner)});
  const auto shown = get("/v1/customers?name=Columns").body["items"][0];
  EXPECT_EQ(shown["trunk_count"], 1);
  EXPECT_EQ(shown["balance"], "12.500000");
  const auto trunks = get("/v1/trunks?customer_id=" + std::to_string(owner)).body["items"];
  ASSERT_EQ(trunks.size(), 1U);
  EXPECT_EQ(trunks[0]["source_count"], 2);
  EXPECT_EQ(trunks[0]["codecs"], json({"G729", "PCMA"}));
  EXPECT_EQ(trunks[0]["live_incoming"], 3);
  EXPECT_EQ(trunks[0]["customer_name"], "Columns");
  EXPECT_EQ(trunks[0]["rate_plan_name"], "Plan");
  const auto dialpeers = get("/v1/dialpeers?trunk_id=" + std::to_string(id)).body["items"];
  EXPECT_EQ(dialpeers[0]["rule_label"], "Armenia");
  EXPECT_EQ(dialpeers[0]["trunk_name"], "Main");
}

}  // namespace
}  // namespace tollgate::admin_api
