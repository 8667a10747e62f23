// First check of an INVITE from an authorised source, before any service is asked, and the replies that need no call. Owns nothing. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "libs/call/events.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::ingress {

struct IntakeState {
  bool draining = false;
  bool full = false;  // as many calls as allowed
};

// The event for the call machine, with the reason to refuse when there is one: draining, overloaded, too_many_hops, loop_detected,
// malformed (no user part, another scheme), address_incomplete (not a number, or too long) (REQUIREMENTS 4.5, 6.9, 7).
[[nodiscard]] call::Invited checkInvite(const sofia::InviteIn& invite, const IntakeState& state);

// Printable ASCII, at most `length` characters; anything else becomes '?'. What the other side wrote must not break a record.
[[nodiscard]] std::string plainText(std::string_view text, std::size_t length);

// Max-Forwards for the carrier; `received` -1 = absent (RFC 3261 16.6, step 3).
[[nodiscard]] int nextMaxForwards(int received);

// The replies to requests that neither set a call up nor end it: in a dialog (re-INVITE and UPDATE 488, INFO and OPTIONS 200, REFER 603,
// others 405), and outside of one (OPTIONS 200, or 503 while not serving; a dialog that is not here 481; others 405)
// (REQUIREMENTS 6.3, 6.9).
[[nodiscard]] sofia::Reply inDialogReply(sofia::Method method);
[[nodiscard]] sofia::Reply outsideReply(sofia::Method method, bool names_dialog, bool serving, int retry_after_seconds);

// A refusal with its Reason header, and Retry-After where its reason has one (REQUIREMENTS 7).
[[nodiscard]] sofia::Reply refusal(int code, int q850_cause, base::Reason reason, int retry_after_seconds);

}  // namespace tollgate::ingress
