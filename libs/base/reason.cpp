#include "libs/base/reason.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tollgate::base {
namespace {

constexpr std::array kTable = {
    ReasonRow{Reason::kUnspecified, "unspecified", 500, 41, 500, false, "Server Internal Error"},
    ReasonRow{Reason::kUnknownSource, "unknown_source", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kTechPrefixMismatch, "tech_prefix_mismatch", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kCustomerBlocked, "customer_blocked", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kTrunkDisabled, "trunk_disabled", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kBadCredentials, "bad_credentials", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kNoCredit, "no_credit", 402, 21, 402, false, "Payment Required"},
    ReasonRow{Reason::kSpendGuard, "spend_guard", 403, 21, 403, false, "Forbidden"},
    ReasonRow{Reason::kNoRoute, "no_route", 404, 3, 404, false, "Not Found"},
    ReasonRow{Reason::kNoRate, "no_rate", 404, 3, 404, false, "Not Found"},
    ReasonRow{Reason::kAddressIncomplete, "address_incomplete", 484, 28, 422, false, "Address Incomplete"},
    ReasonRow{Reason::kMalformed, "malformed", 400, 95, 400, false, "Bad Request"},
    ReasonRow{Reason::kCreditExhausted, "credit_exhausted", 0, 16, 402, false, ""},
    ReasonRow{Reason::kSessionExpired, "session_expired", 0, 102, 504, false, ""},
    ReasonRow{Reason::kMediaTimeout, "media_timeout", 0, 102, 504, false, ""},
    ReasonRow{Reason::kConcurrentLimit, "concurrent_limit", 503, 34, 503, false, "Service Unavailable"},
    ReasonRow{Reason::kCpsLimit, "cps_limit", 503, 42, 503, false, "Service Unavailable"},
    ReasonRow{Reason::kOverloaded, "overloaded", 503, 42, 503, true, "Service Unavailable"},
    ReasonRow{Reason::kDraining, "draining", 503, 42, 503, true, "Service Unavailable"},
    ReasonRow{Reason::kDecisionUnavailable, "decision_unavailable", 503, 41, 503, true, "Service Unavailable"},
    ReasonRow{Reason::kLossProtection, "loss_protection", 503, 34, 503, false, "Service Unavailable"},
    ReasonRow{Reason::kNoTargetAvailable, "no_target_available", 503, 34, 503, false, "Service Unavailable"},
    ReasonRow{Reason::kTargetTimeout, "target_timeout", 504, 102, 504, false, "Server Time-out"},
    ReasonRow{Reason::kNoCommonCodec, "no_common_codec", 488, 88, 422, false, "Not Acceptable Here"},
    ReasonRow{Reason::kLoopDetected, "loop_detected", 482, 25, 508, false, "Loop Detected"},
    ReasonRow{Reason::kTooManyHops, "too_many_hops", 483, 25, 508, false, "Too Many Hops"},
    ReasonRow{Reason::kHangupByOperator, "hangup_by_operator", 0, 16, 200, false, ""},
    ReasonRow{Reason::kMaxDuration, "max_duration", 0, 16, 200, false, ""},
    ReasonRow{Reason::kNormal, "normal", 0, 16, 200, false, ""},
    ReasonRow{Reason::kCallerCancelled, "caller_cancelled", 487, 16, 200, false, "Request Terminated"},
    ReasonRow{Reason::kCarrierRejected, "carrier_rejected", 0, 16, 200, false, ""},
    ReasonRow{Reason::kInstanceLost, "instance_lost", 0, 41, 200, false, ""},
    ReasonRow{Reason::kNoAck, "no_ack", 0, 102, 200, false, ""},
    ReasonRow{Reason::kSetupTimeout, "setup_timeout", 480, 19, 200, false, "Temporarily Unavailable"},
};

bool parseNumber(std::string_view text, int low, int high, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= low && number <= high;
}

}  // namespace

std::span<const ReasonRow> reasonTable() noexcept {
  return kTable;
}

const ReasonRow& reasonRow(Reason reason) noexcept {
  const auto* row = std::find_if(kTable.begin(), kTable.end(), [&](const ReasonRow& r) { return r.reason == reason; });
  return row == kTable.end() ? kTable.front() : *row;
}

std::optional<Reason> reasonFromWord(std::string_view word) noexcept {
  const auto* row = std::find_if(kTable.begin(), kTable.end(), [&](const ReasonRow& r) { return r.word == word; });
  return row == kTable.end() ? std::nullopt : std::optional(row->reason);
}

Reason reasonFromNumber(int number) noexcept {
  return reasonRow(static_cast<Reason>(number)).reason;
}

RejectMap::RejectMap() = default;

Result<RejectMap> RejectMap::parse(std::string_view overrides) {
  RejectMap map;
  while (!overrides.empty()) {
    const auto comma = overrides.find(',');
    const auto entry = overrides.substr(0, comma);
    overrides = comma == std::string_view::npos ? std::string_view() : overrides.substr(comma + 1);
    const auto equals = entry.find('=');
    const auto slash = entry.find('/');
    if (equals == std::string_view::npos || slash == std::string_view::npos || slash < equals) {
      return fail(ErrorCode::kInvalid, "reject map entry '" + std::string(entry) + "': write reason=code/cause");
    }
    const auto reason = reasonFromWord(entry.substr(0, equals));
    if (!reason || reasonRow(*reason).sip_code == 0) {
      return fail(ErrorCode::kInvalid, "reject map: '" + std::string(entry.substr(0, equals)) + "' is no reason with a SIP response");
    }
    Answer answer{};
    if (!parseNumber(entry.substr(equals + 1, slash - equals - 1), 300, 699, answer.sip_code) ||
        !parseNumber(entry.substr(slash + 1), 1, 127, answer.q850_cause)) {
      return fail(ErrorCode::kInvalid, "reject map entry '" + std::string(entry) + "': code 300..699, cause 1..127");
    }
    map.overrides_[*reason] = answer;
  }
  return map;
}

RejectMap::Answer RejectMap::answer(Reason reason) const noexcept {
  if (const auto found = overrides_.find(reason); found != overrides_.end()) {
    return found->second;
  }
  const auto& row = reasonRow(reason);
  return {row.sip_code, row.q850_cause};
}

std::string reasonHeader(Reason reason, int q850_cause) {
  std::string text = "Q.850;cause=";
  text += std::to_string(q850_cause);
  text += ";text=\"";
  text += reasonRow(reason).word;
  text += '"';
  return text;
}

int q850FromSip(int sip_code) noexcept {
  switch (sip_code) {
    case 400:
      return 41;
    case 401:
    case 402:
    case 403:
    case 407:
    case 603:
      return 21;
    case 404:
    case 604:
      return 1;
    case 405:
      return 63;
    case 406:
    case 415:
      return 79;
    case 408:
    case 504:
      return 102;
    case 410:
      return 22;
    case 413:
    case 414:
    case 416:
    case 420:
    case 421:
    case 423:
    case 505:
    case 513:
      return 127;
    case 480:
      return 18;
    case 481:
    case 503:
    case 500:
      return 41;
    case 482:
    case 483:
      return 25;
    case 484:
      return 28;
    case 485:
      return 1;
    case 486:
    case 600:
      return 17;
    case 487:
      return 16;
    case 488:
    case 606:
      return 88;
    case 501:
      return 79;
    case 502:
      return 38;
    default:
      return 31;
  }
}

}  // namespace tollgate::base
