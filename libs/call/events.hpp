// What can happen to a call. Plain values that own their text; one thread owns a call. Every event may arrive in every phase. An event that
// makes no sense in the phase is counted and changes nothing.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libs/base/enum_size.hpp"
#include "libs/call/types.hpp"

namespace tollgate::call {

// Number of an attempt's leg within its call, from 1; 0 = none.
using LegId = std::uint32_t;

enum class TimerKind : std::uint8_t { kSetup, kTry, kRinging, kPaidEnd, kExtend, kMaxDuration, kLinger };
inline constexpr TimerKind kLastTimerKind = TimerKind::kLinger;

// The INVITE as received. `refuse` set: the owner found a reason to refuse it before any decision (malformed, loop, overload, drain).
struct Invited {
  std::string sip_call_id;
  std::string caller;
  std::string called;
  std::string source_address;
  std::uint16_t source_port = 0;
  base::Transport transport = base::Transport::kUdp;
  bool has_offer = true;
  base::Reason refuse = base::Reason::kUnspecified;
  std::string refuse_detail;
};

struct Authorized {
  Identified identified;
  std::vector<base::TraceStep> trace;
  // Set: the offer cannot be used for this source row (REQUIREMENTS 6.4): no codec left, or not SDP at all.
  base::Reason offer_refused = base::Reason::kUnspecified;
};

struct Routed {
  base::RuleId rule;
  std::string rule_code;
  base::DialpeerId dialpeer;
  std::uint32_t by_load = 0;  // this many of the first candidates are tried least loaded first
  std::vector<Candidate> candidates;
  std::vector<base::TraceStep> trace;
};

// A free slot was taken at a candidate; `index` and the skipped ones are positions in CallMachine::askedCandidates().
struct Occupied {
  std::size_t index = 0;
  std::vector<Skipped> skipped;
  money::Rate vendor_rate;
};

struct Reserved {
  money::Rate rate;
  std::int64_t held_micros = 0;
  std::uint32_t paid_seconds = 0;
  std::uint32_t heartbeat_seconds = 0;
  Occupied occupied;
  std::vector<base::TraceStep> trace;
};

struct Extended {
  std::uint32_t paid_seconds = 0;
  std::int64_t held_micros = 0;
  bool refused = false;
};

// The service decided to refuse the call.
struct Refused {
  Decision decision = Decision::kAuthorize;
  base::Reason reason = base::Reason::kUnspecified;
  std::string detail;
  std::vector<base::TraceStep> trace;
  std::vector<Skipped> skipped;          // of occupy
  std::optional<Identified> identified;  // what auth knew when it refused
};

// A decision could not be made: no answer in time, the service could not decide, or its answer could not be read.
struct DecisionFailed {
  Decision decision = Decision::kAuthorize;
  std::string detail;
};

struct LegStarted {
  LegId leg = 0;
  std::string sip_call_id;
};

struct LegProvisional {
  LegId leg = 0;
  int code = 180;
  bool has_sdp = false;
};

struct LegAnswered {
  LegId leg = 0;
};

enum class LegFailure : std::uint8_t { kResponse, kTimeout, kTransportError };

struct LegFailed {
  LegId leg = 0;
  LegFailure failure = LegFailure::kResponse;
  int code = 0;  // of a response
};

struct CallerCancelled {};
struct CallerAcked {};
struct CallerNoAck {};  // the 200 was never acknowledged

struct PartyBye {
  Side side = Side::kCaller;
  LegId leg = 0;  // of the carrier's side
};

struct TimerFired {
  TimerKind timer = TimerKind::kSetup;
};

struct OperatorHangup {
  std::string user;
};

// The drain time is over: the process ends, and the call with it (REQUIREMENTS 6.9).
struct Shutdown {
  base::Reason reason = base::Reason::kDraining;
  bool is_last = false;  // no further event follows: the final record does not wait for an answer of billing
};

using Event =
    std::variant<Invited, Authorized, Routed, Reserved, Occupied, Extended, Refused, DecisionFailed, LegStarted, LegProvisional,
                 LegAnswered, LegFailed, CallerCancelled, CallerAcked, CallerNoAck, PartyBye, TimerFired, OperatorHangup, Shutdown>;

}  // namespace tollgate::call
