#include "services/auth/authorize.hpp"

#include <gtest/gtest.h>

#include "services/auth/tables.hpp"
#include "services/auth/wire.hpp"

namespace tollgate::auth {
namespace {

using base::Reason;

struct Row {
  const char* network;
  std::uint16_t match_port = 0;  // 0 = any
};

// Row ids are 10 * trunk + position.
Trunk makeTrunk(std::int64_t id, std::int64_t customer, const char* prefix, const std::vector<Row>& rows) {
  Trunk trunk;
  trunk.id = base::TrunkId(id);
  trunk.customer = base::CustomerId(customer);
  trunk.name = "T" + std::to_string(id);
  trunk.identification = *prefix == '\0' ? digits::Identification::kPeer : digits::Identification::kPrefix;
  trunk.tech_prefix = prefix;
  trunk.enabled = true;
  for (const Row& row : rows) {
    SourceRow source;
    source.id = base::SourceRowId(10 * id + static_cast<std::int64_t>(trunk.sources.size()));
    source.network = digits::Network::parse(row.network).value();
    source.port = row.match_port == 0 ? std::uint16_t{5060} : row.match_port;
    source.match_port = row.match_port != 0;
    source.codecs = {base::Codec::kPcmu, base::Codec::kPcma};
    trunk.sources.push_back(source);
  }
  return trunk;
}

class Authorize : public testing::Test {
 protected:
  void SetUp() override {
    tables_.setCustomer(base::CustomerId(1), {"One", false});
    tables_.setCustomer(base::CustomerId(2), {"Two", false});
  }

  void add(Trunk trunk) { tables_.setTrunk(std::move(trunk)); }

  AuthorizeDecision ask(std::string_view address, std::uint16_t port, std::string_view called, std::int64_t dry_run_trunk = 0) {
    tables_.publish(++version_);
    return authorize(*tables_.current(), {address, port, called, "1000", base::TrunkId(dry_run_trunk)});
  }

  static Reason reasonOf(const AuthorizeDecision& decision) { return decision.refusal ? decision.refusal->reason : Reason::kUnspecified; }

  Tables tables_{1'000'000};
  std::uint64_t version_ = 0;
};

// REQUIREMENTS 2.4: an address on no row.
TEST_F(Authorize, RefusesAnAddressOnNoRow) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.0/24"}}));
  const AuthorizeDecision decision = ask("10.0.1.1", 5060, "5537410");
  EXPECT_EQ(reasonOf(decision), Reason::kUnknownSource);
  EXPECT_FALSE(decision.customer.isSet());
  EXPECT_EQ(reasonOf(ask("not an address", 5060, "5537410")), Reason::kUnknownSource);
}

// REQUIREMENTS 2.5: the prefix is stripped, a leading + is not part of the comparison.
TEST_F(Authorize, StripsTheTechPrefixAndIgnoresThePlus) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.0/24"}}));
  for (const char* called : {"5537410", "+5537410", "%2B5537410", "55-374-10"}) {
    const AuthorizeDecision decision = ask("10.0.0.1", 40000, called);
    EXPECT_EQ(reasonOf(decision), Reason::kUnspecified) << called;
    EXPECT_EQ(decision.called, "37410") << called;
    EXPECT_EQ(decision.tech_prefix, "55");
    EXPECT_EQ(decision.trunk, base::TrunkId(5));
    EXPECT_EQ(decision.customer, base::CustomerId(1));
    EXPECT_EQ(decision.source_row, base::SourceRowId(50));
    EXPECT_EQ(decision.codecs, (base::CodecSet{base::Codec::kPcmu, base::Codec::kPcma}));
  }
}

// REQUIREMENTS 2.5: another prefix is 403; the CDR can still name the trunk when only one trunk has that source.
TEST_F(Authorize, RefusesAnotherPrefixAndNamesTheOnlyTrunk) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  for (const char* called : {"4437410", "5", "", "alice"}) {
    const AuthorizeDecision decision = ask("10.0.0.1", 5060, called);
    EXPECT_EQ(reasonOf(decision), Reason::kTechPrefixMismatch) << called;
    EXPECT_EQ(decision.trunk, base::TrunkId(5)) << called;
    EXPECT_TRUE(decision.called.empty());
  }
}

// REQUIREMENTS 2.5: nothing left after the strip is 484.
TEST_F(Authorize, RefusesWhenNothingIsLeft) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  add(makeTrunk(6, 1, "", {{"10.0.0.2"}}));
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55")), Reason::kAddressIncomplete);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "+55")), Reason::kAddressIncomplete);
  EXPECT_EQ(reasonOf(ask("10.0.0.2", 5060, "+")), Reason::kAddressIncomplete);
}

TEST_F(Authorize, RefusesWhatIsNoNumberAfterThePrefix) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  add(makeTrunk(6, 1, "", {{"10.0.0.2"}}));
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55alice")), Reason::kMalformed);
  EXPECT_EQ(reasonOf(ask("10.0.0.2", 5060, "alice")), Reason::kMalformed);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55" + std::string(33, '1'))), Reason::kMalformed);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55" + std::string(100'000, '1'))), Reason::kMalformed);
  EXPECT_EQ(ask("10.0.0.1", 5060, "55" + std::string(32, '1')).called, std::string(32, '1'));
}

// REQUIREMENTS 2.2: a peer accepts every call from its sources.
TEST_F(Authorize, AcceptsEveryNumberOfAPeer) {
  add(makeTrunk(6, 2, "", {{"2001:db8::/32"}}));
  const AuthorizeDecision decision = ask("2001:db8::77", 5060, "+37410");
  EXPECT_EQ(reasonOf(decision), Reason::kUnspecified);
  EXPECT_EQ(decision.called, "37410");
  EXPECT_EQ(decision.customer, base::CustomerId(2));
  EXPECT_TRUE(decision.tech_prefix.empty());
}

// REQUIREMENTS 2.6: trunks on one source, and on nested sources, are told apart by their prefix.
TEST_F(Authorize, TellsTrunksOnOneSourceApartByPrefix) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  add(makeTrunk(6, 2, "56", {{"10.0.0.1"}}));
  add(makeTrunk(7, 2, "7", {{"10.0.0.0/8"}}));
  EXPECT_EQ(ask("10.0.0.1", 5060, "5537410").trunk, base::TrunkId(5));
  EXPECT_EQ(ask("10.0.0.1", 5060, "5637410").trunk, base::TrunkId(6));
  EXPECT_EQ(ask("10.0.0.1", 5060, "737410").trunk, base::TrunkId(7));
  EXPECT_EQ(ask("10.9.9.9", 5060, "737410").trunk, base::TrunkId(7));
  const AuthorizeDecision none = ask("10.0.0.1", 5060, "37410");
  EXPECT_EQ(reasonOf(none), Reason::kTechPrefixMismatch);
  EXPECT_FALSE(none.trunk.isSet()) << "which trunk was meant is not known";
  EXPECT_FALSE(none.customer.isSet());
}

TEST_F(Authorize, NamesTheCustomerWhenAllTrunksOfTheSourceAreIts) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  add(makeTrunk(6, 1, "56", {{"10.0.0.1"}}));
  const AuthorizeDecision decision = ask("10.0.0.1", 5060, "37410");
  EXPECT_EQ(decision.customer, base::CustomerId(1));
  EXPECT_FALSE(decision.trunk.isSet());
}

// REQUIREMENTS 2.3: match port on = the source port must equal it.
TEST_F(Authorize, ChecksThePortOnlyWhereTheRowMatchesIt) {
  add(makeTrunk(5, 1, "", {{"10.0.0.1", 5080}}));
  add(makeTrunk(6, 2, "", {{"10.0.0.1", 5090}}));
  EXPECT_EQ(ask("10.0.0.1", 5080, "37410").trunk, base::TrunkId(5));
  EXPECT_EQ(ask("10.0.0.1", 5090, "37410").trunk, base::TrunkId(6));
  const AuthorizeDecision decision = ask("10.0.0.1", 5060, "37410");
  EXPECT_EQ(reasonOf(decision), Reason::kUnknownSource);
  EXPECT_NE(decision.refusal->detail.find("port 5080"), std::string::npos) << decision.refusal->detail;
}

// REQUIREMENTS 6.4: each row of a trunk is checked separately, so that the one that fits best is chosen.
TEST_F(Authorize, ChoosesTheMostSpecificRowOfATrunk) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.0/8"}, {"10.0.0.1"}, {"10.0.0.1", 5080}, {"10.0.0.0/24"}}));
  EXPECT_EQ(ask("10.0.0.1", 5060, "551").source_row, base::SourceRowId(51));
  EXPECT_EQ(ask("10.0.0.1", 5080, "551").source_row, base::SourceRowId(52));
  EXPECT_EQ(ask("10.0.0.2", 5060, "551").source_row, base::SourceRowId(53));
  EXPECT_EQ(ask("10.1.0.2", 5060, "551").source_row, base::SourceRowId(50));
}

// REQUIREMENTS 2.8: disabled = no new calls; it still identifies, unless an enabled trunk does.
TEST_F(Authorize, RefusesADisabledTrunkUnlessAnEnabledOneMatches) {
  Trunk disabled = makeTrunk(5, 1, "55", {{"10.0.0.1"}});
  disabled.enabled = false;
  add(disabled);
  const AuthorizeDecision refused = ask("10.0.0.1", 5060, "5537410");
  EXPECT_EQ(reasonOf(refused), Reason::kTrunkDisabled);
  EXPECT_EQ(refused.trunk, base::TrunkId(5));
  add(makeTrunk(6, 2, "5", {{"10.0.0.0/8"}}));
  EXPECT_EQ(ask("10.0.0.1", 5060, "5537410").trunk, base::TrunkId(6));
}

// REQUIREMENTS 1.7: blocked stops new calls; unblock restores service.
TEST_F(Authorize, RefusesABlockedCustomerUntilItIsUnblocked) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  tables_.setCustomer(base::CustomerId(1), {"One", true});
  const AuthorizeDecision decision = ask("10.0.0.1", 5060, "5537410");
  EXPECT_EQ(reasonOf(decision), Reason::kCustomerBlocked);
  EXPECT_EQ(decision.customer, base::CustomerId(1));
  tables_.setCustomer(base::CustomerId(1), {"One", false});
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "5537410")), Reason::kUnspecified);
}

TEST_F(Authorize, ChecksTrunkBeforeCustomerBeforeNumber) {
  Trunk trunk = makeTrunk(5, 1, "55", {{"10.0.0.1"}});
  trunk.enabled = false;
  add(trunk);
  tables_.setCustomer(base::CustomerId(1), {"One", true});
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "44")), Reason::kTechPrefixMismatch);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55")), Reason::kTrunkDisabled);
  trunk.enabled = true;
  add(trunk);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55")), Reason::kCustomerBlocked);
  tables_.setCustomer(base::CustomerId(1), {"One", false});
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "55")), Reason::kAddressIncomplete);
}

// REQUIREMENTS 10.6: a route test is checked as a real call of that trunk.
TEST_F(Authorize, ChecksADryRunAsTheTrunkGiven) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.1"}}));
  const AuthorizeDecision good = ask("", 0, "5537410", 5);
  EXPECT_EQ(reasonOf(good), Reason::kUnspecified);
  EXPECT_EQ(good.called, "37410");
  EXPECT_TRUE(good.codecs.has(base::Codec::kPcma));
  EXPECT_EQ(reasonOf(ask("", 0, "37410", 5)), Reason::kTechPrefixMismatch);
  EXPECT_EQ(reasonOf(ask("", 0, "5537410", 6)), Reason::kUnknownSource);
}

// REQUIREMENTS 2.2: the rows of a registration trunk let nobody in.
TEST_F(Authorize, IgnoresSourceRowsOfARegistrationTrunk) {
  Trunk trunk = makeTrunk(5, 1, "", {{"10.0.0.1"}});
  trunk.identification = digits::Identification::kRegistration;
  add(trunk);
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "37410")), Reason::kUnknownSource);
}

// REQUIREMENTS 10.3: source row, prefix and customer state are in the decision trace, in words.
TEST_F(Authorize, TracesEveryCheckInWords) {
  add(makeTrunk(5, 1, "55", {{"10.0.0.0/24"}}));
  const AuthorizeQuery query{"10.0.0.1", 5061, "5537410", "1000", {}};
  tables_.publish(1);
  const auto reply = toReply(query, authorize(*tables_.current(), query));
  std::vector<std::string> lines;
  for (const auto& step : reply.trace()) {
    EXPECT_EQ(step.stage(), "auth");
    EXPECT_TRUE(step.passed());
    lines.push_back(step.check() + ": " + step.found());
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"source_row: source row 50 (10.0.0.0/24) of trunk 5 (T5) covers 10.0.0.1 port 5061",
                                             "tech_prefix: the called number starts with the tech prefix 55",
                                             "trunk_state: trunk 5 (T5) is enabled", "customer_state: customer 1 (One) is active",
                                             "called_number: the number to route has 5 digits"}));
  EXPECT_EQ(reply.identified().caller(), "1000");
  EXPECT_FALSE(reply.has_refusal());
}

TEST_F(Authorize, FindsOneOfTwoThousandTrunksBehindOneAddress) {
  for (std::int64_t id = 0; id < 2000; ++id) {
    add(makeTrunk(id + 1, 1, std::to_string(100'000 + id).c_str(), {{"10.0.0.1"}}));
  }
  EXPECT_EQ(ask("10.0.0.1", 5060, "10123437410").trunk, base::TrunkId(1235));
  EXPECT_EQ(reasonOf(ask("10.0.0.1", 5060, "99999937410")), Reason::kTechPrefixMismatch);
}

}  // namespace
}  // namespace tollgate::auth
