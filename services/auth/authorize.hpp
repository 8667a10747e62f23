// Finds out who is calling and whether the call may go on (REQUIREMENTS 1.7, 2.2-2.6, 2.8). A pure function of a snapshot and of what the
// INVITE showed. Any thread.
//
// The order of the checks is fixed, so that every replica and every test gives the same reason: source row, tech prefix, trunk state,
// customer state, then the number without the prefix (nothing left: address_incomplete; not digits: malformed).
//
// Several rows may cover one address. The tech prefix tells their trunks apart; a row that matches ports counts only for its port. A row
// of an enabled trunk precedes one of a disabled trunk (a disabled one still identifies the call, so that the CDR can name it), then the
// most specific network, then a row with the port, then the longer tech prefix, then the older row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/codec.hpp"
#include "libs/base/decision.hpp"
#include "libs/base/ids.hpp"
#include "services/auth/snapshot.hpp"

namespace tollgate::auth {

struct AuthorizeQuery {
  std::string_view source_address;  // IP literal
  std::uint16_t source_port = 0;
  std::string_view called;  // user part as received
  std::string_view caller;
  base::TrunkId dry_run_trunk;  // set: check as if this trunk had sent the call; the source is then ignored (REQUIREMENTS 10.6)
};

// For a call that may go on everything is set; for a refused one what is known of it, so that the CDR can name it.
struct AuthorizeDecision {
  base::CustomerId customer;
  base::TrunkId trunk;
  base::SourceRowId source_row;
  std::string called;  // digits without + and tech prefix
  std::string tech_prefix;
  base::CodecSet codecs;
  bool relay_media = false;
  std::optional<base::Refusal> refusal;
  std::vector<base::TraceStep> trace;  // checks: source_row, tech_prefix, trunk_state, customer_state, called_number
};

[[nodiscard]] AuthorizeDecision authorize(const Snapshot& snapshot, const AuthorizeQuery& query);

}  // namespace tollgate::auth
