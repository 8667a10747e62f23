// The rules of the entities: each refusal names its field and requirement.
#include <thread>

#include "tests/component/admin_api_world.hpp"

namespace tollgate::admin_api {
namespace {

using nlohmann::json;

std::string itemOf(const char* collection, std::int64_t id) {
  return "/v1/" + std::string(collection) + "/" + std::to_string(id);
}

TEST_F(AdminApi, PrepaidHasNoCreditLine) {
  // REQUIREMENTS 1.2, 1.3.
  EXPECT_EQ(outcomeOf(call("POST", "/v1/customers", {{"name", "A"}, {"country", "GB"}, {"credit_line", "10"}})), "422 credit_line 1.3");
  EXPECT_EQ(outcomeOf(call("POST", "/v1/customers", {{"name", "A"}, {"country", "GB"}, {"unlimited", true}})), "422 unlimited 1.3");
  const auto postpaid =
      customer({{"billing_type", "postpaid"}, {"credit_line", "10"}, {"overdraft_allowed", true}, {"overdraft_limit", "2.5"}});
  const auto shown = get(itemOf("customers", postpaid)).body;
  EXPECT_EQ(shown["credit_line"], "10.000000");
  EXPECT_EQ(shown["overdraft_limit"], "2.500000");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("customers", postpaid), {{"billing_type", "prepaid"}})), "422 credit_line 1.3");
}

TEST_F(AdminApi, TrunksAndDialpeersNeedTheirCustomer) {
  // REQUIREMENTS 1.4.
  EXPECT_EQ(outcomeOf(call("POST", "/v1/trunks", trunkBody(999999, json::object()))), "422 customer_id 1.4");
  const auto id = trunk(customer());
  EXPECT_EQ(outcomeOf(call("POST", "/v1/dialpeers",
                           {{"display_name", "D"}, {"customer_id", 999999}, {"trunk_id", id}, {"routing_rule_id", rule("44")}})),
            "422 customer_id 1.4");
}

TEST_F(AdminApi, CustomerDeleteIsRefusedWhileItIsUsed) {
  // REQUIREMENTS 1.6: trunks, call history, routing rules.
  const auto with_trunk = customer();
  const auto id = trunk(with_trunk);
  EXPECT_EQ(outcomeOf(call("DELETE", itemOf("customers", with_trunk))), "409 1.6");
  const auto vendor = customer();
  const auto target = carrier(vendor);
  const auto used = rule("374", {{{"trunk_id", target}}});
  auto answer = call("DELETE", itemOf("customers", vendor));
  EXPECT_EQ(outcomeOf(answer), "409 1.6");
  EXPECT_NE(answer.detail().find("routing rule " + std::to_string(used)), std::string::npos) << answer.detail();
  const auto with_calls = customer();
  cdr(with_calls, id);
  answer = call("DELETE", itemOf("customers", with_calls));
  EXPECT_EQ(outcomeOf(answer), "409 1.6");
  EXPECT_NE(answer.detail().find("call history"), std::string::npos);
  EXPECT_EQ(call("DELETE", itemOf("customers", customer())).status, 204);
}

TEST_F(AdminApi, CustomerIsBlockedAndUnblocked) {
  // REQUIREMENTS 1.7.
  const auto path = itemOf("customers", customer());
  EXPECT_EQ(call("PATCH", path, {{"status", "blocked"}}).body["status"], "blocked");
  EXPECT_EQ(call("PATCH", path, {{"status", "active"}}).body["status"], "active");
  EXPECT_EQ(outcomeOf(call("PATCH", path, {{"status", "asleep"}})), "422 status 1.7");
}

TEST_F(AdminApi, DeletedCustomersMoneyIsNotInherited) {
  // REQUIREMENTS 9.4: the ledger is append only.
  const auto id = customer();
  execute(
      "INSERT INTO ledger_entries (transfer_id, line, account, amount_micros, currency, kind, at) VALUES (?, 1, ?, 5, 'USD', 'payment', "
      "NOW(6))",
      {"pay:" + std::to_string(id), "customer:" + std::to_string(id)});
  EXPECT_EQ(call("DELETE", itemOf("customers", id)).status, 204);
  EXPECT_EQ(outcomeOf(call("PUT", itemOf("customers", id), {{"name", "New"}, {"country", "GB"}})), "409 id 9.4");
}

TEST_F(AdminApi, TrunkIdentificationIsChecked) {
  // REQUIREMENTS 2.1, 2.2, 2.3.
  const auto owner = customer();
  const auto outcome_of = [&](const json& changes) { return outcomeOf(call("POST", "/v1/trunks", trunkBody(owner, changes))); };
  EXPECT_EQ(outcome_of({{"tech_prefix", ""}}), "422 tech_prefix 2.2");
  EXPECT_EQ(outcome_of({{"identification", "peer"}}), "422 tech_prefix 2.2");
  EXPECT_EQ(outcome_of({{"identification", "registration"}}), "422 identification 2.2");
  EXPECT_EQ(outcome_of({{"sources", json::array()}}), "422 sources 2.3");
  EXPECT_EQ(outcome_of({{"sources", {{{"network", "10.8.0.1"}}, {{"network", "10.8.0.1/32"}}}}}), "422 sources[1].network 2.3");
  EXPECT_EQ(outcome_of({{"sources", {{{"network", "10.8.0.1/24"}}}}}), "422 sources[0].network 2.3");
  EXPECT_EQ(outcome_of({{"sources", {{{"network", "2001:db8::/32"}}}}}), "201");
  const auto id = trunk(owner);
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("trunks", id), {{"sources", json::array()}})), "422 sources 2.3");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("trunks", id), {{"customer_id", customer()}})), "422 customer_id 2.1");
}

TEST_F(AdminApi, AmbiguousSourcesAreRefused) {
  // REQUIREMENTS 2.6.
  const auto owner = customer();
  const auto sources = [](const char* network, int port = 5060, bool match = false) {
    return json::array({{{"network", network}, {"port", port}, {"match_port", match}}});
  };
  const auto outcome_of = [&](const json& changes) { return outcomeOf(call("POST", "/v1/trunks", trunkBody(owner, changes))); };
  const auto first = trunk(owner, {{"name", "First"}, {"tech_prefix", "5"}, {"sources", sources("10.20.0.0/16")}});
  const auto again = call("POST", "/v1/trunks", trunkBody(owner, {{"tech_prefix", "55"}, {"sources", sources("10.20.3.4")}}));
  EXPECT_EQ(outcomeOf(again), "409 sources[0].network 2.6");
  EXPECT_NE(again.detail().find("trunk " + std::to_string(first)), std::string::npos) << again.detail();
  EXPECT_NE(again.detail().find("First"), std::string::npos) << again.detail();
  EXPECT_NE(again.detail().find("row"), std::string::npos) << again.detail();
  EXPECT_EQ(outcome_of({{"tech_prefix", "5"}, {"sources", sources("10.0.0.0/8")}}), "409 sources[0].network 2.6");
  EXPECT_EQ(outcome_of({{"identification", "peer"}, {"tech_prefix", ""}, {"sources", sources("10.20.0.0/17")}}),
            "409 sources[0].network 2.6");
  EXPECT_EQ(outcome_of({{"tech_prefix", "6"}, {"sources", sources("10.20.3.4")}}), "201") << "told apart by prefix";
  EXPECT_EQ(outcome_of({{"tech_prefix", "5"}, {"sources", sources("10.21.0.1")}}), "201") << "another network";
  trunk(owner, {{"tech_prefix", "7"}, {"sources", sources("10.22.0.1", 5060, true)}});
  EXPECT_EQ(outcome_of({{"tech_prefix", "7"}, {"sources", sources("10.22.0.1", 5061, true)}}), "201") << "told apart by port";
  EXPECT_EQ(outcome_of({{"tech_prefix", "7"}, {"sources", sources("10.22.0.1", 5062, false)}}), "409 sources[0].network 2.6");
  trunk(owner, {{"tech_prefix", "8"}, {"sources", sources("2001:db8:1::/48")}});
  EXPECT_EQ(outcome_of({{"tech_prefix", "8"}, {"sources", sources("2001:db8:1:2::1")}}), "409 sources[0].network 2.6");
  EXPECT_EQ(outcome_of({{"tech_prefix", "8"}, {"sources", sources("::ffff:10.23.0.1")}}), "201");
}

TEST_F(AdminApi, DisabledTrunksAreNoAmbiguityUntilEnabled) {
  // REQUIREMENTS 2.6, 2.8.
  const auto owner = customer();
  const auto network = json::array({{{"network", "10.30.0.1"}}});
  trunk(owner, {{"sources", network}});
  const auto second = trunk(owner, {{"sources", network}, {"status", "disabled"}});
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("trunks", second), {{"status", "enabled"}})), "409 sources[0].network 2.6");
  EXPECT_EQ(get(itemOf("trunks", second)).body["status"], "disabled");
}

TEST_F(AdminApi, OfTwoAmbiguousSavesAtTheSameTimeOneWins) {
  // REQUIREMENTS 2.6, whatever the interleaving.
  const auto owner = customer();
  for (int round = 0; round < 10; ++round) {
    const auto body = trunkBody(owner, {{"sources", {{{"network", "10.40.0." + std::to_string(round + 1)}}}}});
    Answer answers[4];
    std::vector<std::thread> savers;
    for (auto& answer : answers) {
      savers.emplace_back([&answer, &body] { answer = call("POST", "/v1/trunks", body); });
    }
    for (auto& saver : savers) {
      saver.join();
    }
    int made = 0;
    for (const auto& answer : answers) {
      made += answer.status == 201 ? 1 : 0;
      EXPECT_TRUE(answer.status == 201 || answer.status == 409) << answer.body.dump();
    }
    EXPECT_EQ(made, 1);
  }
}

TEST_F(AdminApi, TrunkDeleteIsRefusedWhileItIsUsed) {
  // REQUIREMENTS 2.8: call history on either side, dialpeer, routing target, calls in progress.
  const auto owner = customer();
  const auto refused = [](std::int64_t id, const std::string& word) {
    const auto answer = call("DELETE", itemOf("trunks", id));
    EXPECT_EQ(outcomeOf(answer), "409 2.8");
    EXPECT_NE(answer.detail().find(word), std::string::npos) << answer.detail();
  };
  const auto joined = trunk(owner);
  make("/v1/dialpeers", {{"display_name", "D"}, {"customer_id", owner}, {"trunk_id", joined}, {"routing_rule_id", rule("44")}});
  refused(joined, "dialpeer");
  const auto target = carrier(owner);
  rule("44", {{{"trunk_id", target}}});
  refused(target, "routing rule");
  const auto called = trunk(owner);
  cdr(owner, called);
  refused(called, "call history");
  const auto carried = trunk(owner);
  cdr(owner, called, {{"carrier_trunk_id", carried}});
  refused(carried, "call history");
  const auto busy = trunk(owner);
  {
    const std::lock_guard lock(neighbours().mutex);
    neighbours().loads[busy].set_outgoing(1);
  }
  refused(busy, "in progress");
  EXPECT_EQ(call("DELETE", itemOf("trunks", trunk(owner))).status, 204);
}

TEST_F(AdminApi, NextTrunkExistsAndMakesNoCycle) {
  // REQUIREMENTS 2.15.
  const auto owner = customer();
  const auto last = carrier(owner);
  const auto middle = carrier(owner, {{"next_trunk_id", last}});
  const auto first = carrier(owner, {{"next_trunk_id", middle}});
  EXPECT_EQ(outcomeOf(call("POST", "/v1/trunks", trunkBody(owner, {{"next_trunk_id", 999999}}))), "422 next_trunk_id 2.15");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("trunks", last), {{"next_trunk_id", first}})), "409 next_trunk_id 2.15");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("trunks", last), {{"next_trunk_id", last}})), "409 next_trunk_id 2.15");
  EXPECT_EQ(outcomeOf(call("DELETE", itemOf("trunks", last))), "409 2.15");
  EXPECT_EQ(call("PATCH", itemOf("trunks", middle), {{"next_trunk_id", nullptr}}).status, 200);
  EXPECT_EQ(call("PATCH", itemOf("trunks", last), {{"next_trunk_id", first}}).status, 200) << "the chain ends at the middle now";
}

TEST_F(AdminApi, DialpeersJoinWhatBelongsTogetherOnce) {
  // REQUIREMENTS 3.1, 3.2, 3.5.
  const auto owner = customer();
  const auto id = trunk(owner);
  const auto other_trunk = trunk(owner);
  const auto code_rule = rule("44");
  const auto body = [](std::int64_t customer_id, std::int64_t trunk_id, std::int64_t rule_id) {
    return json{{"display_name", "D"}, {"customer_id", customer_id}, {"trunk_id", trunk_id}, {"routing_rule_id", rule_id}};
  };
  const auto first = make("/v1/dialpeers", body(owner, id, code_rule));
  EXPECT_EQ(outcomeOf(call("POST", "/v1/dialpeers", body(owner, id, code_rule))), "409 routing_rule_id 3.2");
  const auto second = make("/v1/dialpeers", body(owner, other_trunk, code_rule));
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("dialpeers", second), {{"trunk_id", id}})), "409 routing_rule_id 3.2") << "on edit too";
  EXPECT_EQ(outcomeOf(call("POST", "/v1/dialpeers", body(customer(), id, code_rule))), "422 trunk_id 3.2");
  EXPECT_EQ(outcomeOf(call("POST", "/v1/dialpeers", body(owner, id, 999999))), "422 routing_rule_id 3.1");
  const auto scoped = make("/v1/routing-rules", {{"code", "49"}, {"trunk_scope_id", id}});
  EXPECT_EQ(outcomeOf(call("POST", "/v1/dialpeers", body(owner, other_trunk, scoped))), "422 routing_rule_id 3.5");
  make("/v1/dialpeers", body(owner, id, scoped));
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("routing-rules", code_rule), {{"trunk_scope_id", id}})), "409 trunk_scope_id 3.5");
  EXPECT_EQ(outcomeOf(call("DELETE", itemOf("routing-rules", code_rule))), "409 3.1");
  EXPECT_EQ(call("DELETE", itemOf("dialpeers", first)).status, 204);
  EXPECT_EQ(get(itemOf("routing-rules", code_rule)).status, 200) << "3.7: only the dialpeer";
}

TEST_F(AdminApi, RulesAreLabelledAndTargetsChecked) {
  // REQUIREMENTS 3.5, 3.6.
  const auto id = rule("374");
  EXPECT_EQ(get(itemOf("routing-rules", id)).body["label"], "Armenia");
  EXPECT_EQ(call("PATCH", itemOf("routing-rules", id), {{"code", "44"}}).body["label"], "United Kingdom");
  EXPECT_EQ(call("PATCH", itemOf("routing-rules", id), {{"label", "UK fixed"}}).body["label"], "UK fixed");
  EXPECT_EQ(call("PATCH", itemOf("routing-rules", id), {{"code", "49"}}).body["label"], "UK fixed") << "the operator's own word stays";
  EXPECT_EQ(get(itemOf("routing-rules", rule(""))).body["label"], "any");
  const auto owner = customer();
  const auto closed = trunk(owner);
  const auto open = carrier(owner);
  const auto outcome_of = [](const json& more) {
    json body = {{"code", "44"}};
    body.update(more);
    return outcomeOf(call("POST", "/v1/routing-rules", body));
  };
  EXPECT_EQ(outcome_of({{"targets", {{{"trunk_id", open}}, {{"trunk_id", closed}}}}}), "422 targets[1].trunk_id 3.6");
  EXPECT_EQ(outcome_of({{"targets", {{{"trunk_id", 999999}}}}}), "422 targets[0].trunk_id 3.6");
  EXPECT_EQ(outcome_of({{"targets", {{{"trunk_id", open}}, {{"trunk_id", open}}}}}), "422 targets[1].trunk_id 3.6");
  EXPECT_EQ(outcome_of({{"mode", "percent"}, {"targets", {{{"trunk_id", open}, {"weight", 0}}}}}), "422 targets[0].weight 3.6");
  EXPECT_EQ(outcome_of({{"mode", "cheapest"}}), "422 mode 3.6");
  EXPECT_EQ(outcome_of({{"min_digits", 12}, {"max_digits", 10}}), "422 max_digits 3.3");
  EXPECT_EQ(outcome_of({{"trunk_scope_id", 999999}}), "422 trunk_scope_id 3.5");
  EXPECT_EQ(outcome_of({{"targets", {{{"trunk_id", open}}}}}), "201");
}

TEST_F(AdminApi, PlansFitTheirTrunks) {
  // REQUIREMENTS 8.1: side and currency.
  const auto owner = customer();
  const auto outcome_of = [&](const json& changes) { return outcomeOf(call("POST", "/v1/trunks", trunkBody(owner, changes))); };
  EXPECT_EQ(outcome_of({{"rate_plan_id", plan("vendor")}}), "422 rate_plan_id 8.1");
  EXPECT_EQ(outcome_of({{"vendor_rate_plan_id", plan("customer")}}), "422 vendor_rate_plan_id 8.1");
  EXPECT_EQ(outcome_of({{"rate_plan_id", plan("customer", "EUR")}}), "422 rate_plan_id 8.1");
  EXPECT_EQ(outcome_of({{"rate_plan_id", 999999}}), "422 rate_plan_id 8.1");
  const auto attached = plan();
  EXPECT_EQ(outcome_of({{"rate_plan_id", attached}}), "201");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("rate-plans", attached), {{"currency", "EUR"}})), "409 currency 8.1");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("customers", owner), {{"currency", "EUR"}})), "409 currency 8.1");
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("rate-plans", attached), {{"scope", "vendor"}})), "422 scope 8.1");
  EXPECT_EQ(outcomeOf(call("DELETE", itemOf("rate-plans", attached))), "409 8.1");
}

TEST_F(AdminApi, PlansWithCallsStayAsTheyAre) {
  // REQUIREMENTS 8.1: edit and delete refused, adding rates not.
  const auto owner = customer();
  const auto used = plan();
  const auto rates = itemOf("rate-plans", used) + "/rates";
  const auto rate_id = make(rates, {{"prefix", "44"}, {"rate_per_minute", "0.01"}, {"valid_from", "2020-01-01T00:00:00Z"}});
  cdr(owner, trunk(owner), {{"rate_id", rate_id}});
  EXPECT_EQ(outcomeOf(call("PATCH", itemOf("rate-plans", used), {{"name", "Other"}})), "409 8.1");
  EXPECT_EQ(outcomeOf(call("DELETE", itemOf("rate-plans", used))), "409 8.1");
  const auto item = rates + "/" + std::to_string(rate_id);
  EXPECT_EQ(outcomeOf(call("PATCH", item, {{"rate_per_minute", "0.02"}})), "409 8.1");
  EXPECT_EQ(outcomeOf(call("DELETE", item)), "409 8.1");
  EXPECT_EQ(call("PATCH", item, {{"valid_to", "2027-01-01T00:00:00Z"}}).status, 200) << "it may be ended";
  make(rates, {{"prefix", "44"}, {"rate_per_minute", "0.02"}, {"valid_from", "2027-01-01T00:00:00Z"}});
  const auto unused = plan();
  make(itemOf("rate-plans", unused) + "/rates", {{"prefix", "44"}, {"rate_per_minute", "0.01"}});
  EXPECT_EQ(call("DELETE", itemOf("rate-plans", unused)).status, 204);
  EXPECT_EQ(query("SELECT COUNT(*) FROM rates WHERE plan_id = ?", {unused})[0].integer(0), 0);
}

TEST_F(AdminApi, ValidityOfOnePrefixDoesNotOverlap) {
  // REQUIREMENTS 8.3.
  const auto retail = plan();
  const auto rates = itemOf("rate-plans", retail) + "/rates";
  const auto body = [](const char* from, json to) {
    return json{{"prefix", "44"}, {"rate_per_minute", "0.01"}, {"valid_from", from}, {"valid_to", std::move(to)}};
  };
  const auto middle = make(rates, body("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"));
  EXPECT_EQ(outcomeOf(call("POST", rates, body("2026-01-15T00:00:00Z", "2026-03-01T00:00:00Z"))), "409 valid_from 8.3");
  EXPECT_EQ(outcomeOf(call("POST", rates, body("2025-01-01T00:00:00Z", nullptr))), "409 valid_from 8.3");
  EXPECT_EQ(outcomeOf(call("POST", rates, body("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"))), "422 valid_to 8.2");
  make(rates, body("2026-02-01T00:00:00Z", nullptr));
  make(rates, body("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"));
  EXPECT_EQ(outcomeOf(call("PATCH", rates + "/" + std::to_string(middle), {{"valid_to", nullptr}})), "409 valid_from 8.3") << "on edit too";
  make(rates, {{"prefix", "447"}, {"rate_per_minute", "0.01"}});
  EXPECT_EQ(get(rates + "?prefix=44&sort=valid_from").body["items"].size(), 3U);
  EXPECT_EQ(outcomeOf(call("POST", "/v1/rate-plans/999999/rates", body("2026-01-01T00:00:00Z", nullptr))), "404");
  EXPECT_EQ(
      outcomeOf(call("PUT", itemOf("rate-plans", plan()) + "/rates/" + std::to_string(middle), body("2026-01-01T00:00:00Z", nullptr))),
      "409 id 11.1");
  const auto twice = rates + "/880001";
  EXPECT_EQ(call("PUT", twice, {{"prefix", "49"}, {"rate_per_minute", "0.01"}}).status, 201);
  EXPECT_EQ(call("PUT", twice, {{"prefix", "49"}, {"rate_per_minute", "0.01"}}).headers.at("etag"), "\"1\"")
      << "valid_from stays when not given";
}

TEST_F(AdminApi, AmountsOfEveryCurrencyFit) {
  // REQUIREMENTS 8.2, 1.3, 1.8: rupiah have many digits before the point, dinars count after it.
  for (const auto& [currency, per_minute, balance] :
       {std::tuple("IDR", "1000000.000000", "1000000000000.000000"), std::tuple("KWD", "0.000305", "0.000001")}) {
    const auto owner = customer({{"currency", currency}, {"billing_type", "postpaid"}, {"credit_line", balance}});
    EXPECT_EQ(get("/v1/customers/" + std::to_string(owner)).body["credit_line"], balance);
    const auto plan_id = std::to_string(plan("customer", currency));
    const json rate = {{"prefix", "62"}, {"valid_from", "2026-01-01T00:00:00Z"}, {"rate_per_minute", per_minute}};
    const auto made = call("POST", "/v1/rate-plans/" + plan_id + "/rates", rate);
    EXPECT_EQ(made.status, 201) << made.body.dump();
    EXPECT_EQ(made.body["rate_per_minute"], per_minute);
    const auto paid = call("POST", "/v1/customers/" + std::to_string(owner) + "/payments", {{"amount", balance}, {"reference", "r"}},
                           {{"Idempotency-Key", "all"}});
    EXPECT_EQ(outcomeOf(paid), "201") << paid.body.dump();
    EXPECT_EQ(paid.body["balance"], balance);
    EXPECT_EQ(outcomeOf(call("POST", "/v1/customers/" + std::to_string(owner) + "/payments",
                             {{"amount", "1000000000000.000001"}, {"reference", "r"}}, {{"Idempotency-Key", "more"}})),
              "422 amount 1.8");
  }
}

}  // namespace
}  // namespace tollgate::admin_api
