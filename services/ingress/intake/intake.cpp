#include "services/ingress/intake/intake.hpp"

#include <algorithm>

#include "libs/base/limits.hpp"
#include "libs/digits/digits.hpp"

namespace tollgate::ingress {
namespace {

constexpr int kMaxForwardsDefault = 70;
constexpr std::size_t kUserMax = 64;
constexpr std::size_t kSipCallIdMax = 255;
constexpr std::size_t kDialledMax = base::limits::kDigitsMax + base::limits::kTechPrefixDigitsMax;

struct Objection {
  base::Reason reason = base::Reason::kUnspecified;
  std::string_view detail;
};

Objection objectionTo(const sofia::InviteIn& invite, const IntakeState& state) {
  if (state.draining) {
    return {base::Reason::kDraining, "this instance takes no new calls"};
  }
  if (state.full) {
    return {base::Reason::kOverloaded, "this instance carries as many calls as it may (max_calls)"};
  }
  if (invite.max_forwards == 0) {
    return {base::Reason::kTooManyHops, "Max-Forwards is 0"};
  }
  if (invite.own_hops > 0) {
    return {base::Reason::kLoopDetected, "the call has already passed this deployment"};
  }
  if (invite.scheme != "sip" && invite.scheme != "sips" && invite.scheme != "tel") {
    return {base::Reason::kMalformed, "the Request-URI is not a SIP or tel URI"};
  }
  if (invite.called_user.empty()) {
    return {base::Reason::kMalformed, "the Request-URI has no user part"};
  }
  const auto number = digits::bareUserPart(invite.called_user);
  if (number.empty() || !digits::isDigits(number)) {
    return {base::Reason::kAddressIncomplete, "the called number does not consist of digits"};
  }
  if (number.size() > kDialledMax) {
    return {base::Reason::kAddressIncomplete, "the called number is too long"};
  }
  return {};
}

}  // namespace

call::Invited checkInvite(const sofia::InviteIn& invite, const IntakeState& state) {
  call::Invited invited;
  invited.sip_call_id = plainText(invite.call_id, kSipCallIdMax);
  invited.caller = plainText(invite.caller_user, kUserMax);
  invited.called = plainText(invite.called_user, kUserMax);
  invited.source_address = invite.source.addressText();
  invited.source_port = invite.source.port;
  invited.has_offer = !invite.body.text.empty();
  const auto objection = objectionTo(invite, state);
  invited.refuse = objection.reason;
  invited.refuse_detail = objection.detail;
  return invited;
}

std::string plainText(std::string_view text, std::size_t length) {
  std::string plain(text.substr(0, length));
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return plain;
}

int nextMaxForwards(int received) {
  return received < 0 || received > kMaxForwardsDefault ? kMaxForwardsDefault : received - 1;
}

sofia::Reply inDialogReply(sofia::Method method) {
  sofia::Reply reply;
  switch (method) {
    case sofia::Method::kInvite:
    case sofia::Method::kUpdate:
      reply.status = 488;  // the call stays as it is (RFC 3261 14.2)
      break;
    case sofia::Method::kInfo:
    case sofia::Method::kOptions:
      reply.status = 200;
      break;
    case sofia::Method::kRefer:
      reply.status = 603;
      break;
    default:
      reply.status = 405;
      break;
  }
  return reply;
}

sofia::Reply outsideReply(sofia::Method method, bool names_dialog, bool serving, int retry_after_seconds) {
  sofia::Reply reply;
  if (names_dialog) {
    reply.status = 481;
  } else if (method != sofia::Method::kOptions) {
    reply.status = 405;
  } else if (serving) {
    reply.status = 200;
  } else {
    reply.status = 503;  // REQUIREMENTS 6.9
    reply.retry_after_seconds = retry_after_seconds;
  }
  return reply;
}

sofia::Reply refusal(int code, int q850_cause, base::Reason reason, int retry_after_seconds) {
  sofia::Reply reply;
  reply.status = code;
  const auto& row = base::reasonRow(reason);
  if (row.sip_code == code) {
    reply.phrase = row.phrase;
  }
  reply.headers.push_back({"Reason", base::reasonHeader(reason, q850_cause)});
  if (row.retry_after) {
    reply.retry_after_seconds = retry_after_seconds;
  }
  return reply;
}

}  // namespace tollgate::ingress
