// First check of an INVITE from an authorised source, before anybody is asked. Pure functions, any thread.
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
// malformed (no user part, another scheme), address_incomplete (not a number, or too long).
[[nodiscard]] call::Invited checkInvite(const sofia::RequestIn& invite, const IntakeState& state);

// Printable ASCII, at most `length` characters; anything else becomes '?'. What an unknown source typed must not break a record.
[[nodiscard]] std::string plainText(std::string_view text, std::size_t length);

// Max-Forwards for the carrier.
[[nodiscard]] int nextMaxForwards(int received);

// How requests are answered that are no part of setting a call up or ending it: in a dialog (re-INVITE and UPDATE 488, INFO and OPTIONS
// 200, REFER 603, others 405) and outside of one (OPTIONS 200 or 503, unknown dialog 481, others 405).
[[nodiscard]] sofia::Reply inDialogReply(sofia::Method method);
[[nodiscard]] sofia::Reply outsideReply(const sofia::RequestIn& request, bool serving, int retry_after_seconds);

// A refusal with its Reason header (section 7).
[[nodiscard]] sofia::Reply refusal(int code, int q850_cause, base::Reason reason, int retry_after_seconds);

}  // namespace tollgate::ingress
