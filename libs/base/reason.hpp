// The reject map (REQUIREMENTS 7): one table from reason to word, SIP code, Q.850 cause and HTTP status, used by every
// service, label and document. A deployment may override code and cause per reason; the word never changes. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/result.hpp"

namespace tollgate::base {

// Same numbers as tollgate.common.v1.Reason.
enum class Reason : std::uint8_t {
  kUnspecified = 0,
  kUnknownSource = 1,
  kTechPrefixMismatch = 2,
  kCustomerBlocked = 3,
  kTrunkDisabled = 4,
  kBadCredentials = 5,
  kNoCredit = 6,
  kSpendGuard = 7,
  kNoRoute = 8,
  kNoRate = 9,
  kAddressIncomplete = 10,
  kMalformed = 11,
  kCreditExhausted = 12,
  kSessionExpired = 13,
  kMediaTimeout = 14,
  kConcurrentLimit = 15,
  kCpsLimit = 16,
  kOverloaded = 17,
  kDraining = 18,
  kDecisionUnavailable = 19,
  kLossProtection = 20,
  kNoTargetAvailable = 21,
  kTargetTimeout = 22,
  kNoCommonCodec = 23,
  kLoopDetected = 24,
  kTooManyHops = 25,
  kHangupByOperator = 26,
  kMaxDuration = 27,
  kNormal = 40,
  kCallerCancelled = 41,
  kCarrierRejected = 42,
  kInstanceLost = 43,
  kNoAck = 44,
  kSetupTimeout = 45,
};
inline constexpr Reason kLastReason = Reason::kSetupTimeout;

struct ReasonRow {
  Reason reason;
  std::string_view word;
  int sip_code;  // 0 = never a response (the call ends by BYE, or by the carrier's own code)
  int q850_cause;
  int http_status;  // of an API answer that carries this reason
  bool retry_after;
  std::string_view phrase;  // SIP reason phrase
};

[[nodiscard]] std::span<const ReasonRow> reasonTable() noexcept;
[[nodiscard]] const ReasonRow& reasonRow(Reason reason) noexcept;  // the row of kUnspecified for an unknown number
[[nodiscard]] std::optional<Reason> reasonFromWord(std::string_view word) noexcept;
[[nodiscard]] Reason reasonFromNumber(int number) noexcept;

// The map as this deployment has it.
class RejectMap {
 public:
  struct Answer {
    int sip_code;
    int q850_cause;
  };
  RejectMap();
  // "no_route=480/20,no_credit=403/21": code 300..699, cause 1..127.
  // Errors: kInvalid: another form, a number out of range, an unknown word, or a reason that has no SIP response.
  [[nodiscard]] static Result<RejectMap> parse(std::string_view overrides);
  [[nodiscard]] Answer answer(Reason reason) const noexcept;

 private:
  std::map<Reason, Answer> overrides_;
};

// `Q.850;cause=N;text="<word>"`, the value of the Reason header (RFC 3326).
[[nodiscard]] std::string reasonHeader(Reason reason, int q850_cause);

// Q.850 cause that belongs to a SIP final code a carrier sent (RFC 3398 section 8.2.6.1).
[[nodiscard]] int q850FromSip(int sip_code) noexcept;

}  // namespace tollgate::base
