// What a call consists of, as plain values: candidates, attempts, the record that becomes the CDR. Nothing here knows SIP, the bus or
// Protobuf. The values own what they hold; one thread owns a call and everything in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/codec.hpp"
#include "libs/base/decision.hpp"
#include "libs/base/enum_size.hpp"
#include "libs/base/ids.hpp"
#include "libs/base/reason.hpp"
#include "libs/base/transport.hpp"
#include "libs/money/rating.hpp"

namespace tollgate::call {

// When an event happened, given by the owner because the machine has no clock. Wall time dates the record; monotonic time measures.
struct Moment {
  base::WallTime wall;
  base::MonotonicTime monotonic;
};

// The order is that of a call's life (ARCHITECTURE "The call").
enum class Phase : std::uint8_t {
  kNew,
  kIdentifying,
  kRouting,
  kReserving,
  kHunting,
  kRinging,
  kTalking,
  kEnding,  // the caller's side has ended; legs or decisions are still under way
  kOver,    // nothing is under way any more: the owner may destroy the call
};
inline constexpr Phase kLastPhase = Phase::kOver;

// What a call asks other services for, named as the RPCs are: authorize of auth, route of routing, the others of billing.
enum class Decision : std::uint8_t { kAuthorize, kRoute, kReserve, kOccupy, kExtend };
inline constexpr Decision kLastDecision = Decision::kExtend;

enum class Side : std::uint8_t { kCaller, kCarrier };

// Numbers of tollgate.call.v1.EndedBy.
enum class EndedBy : std::uint8_t { kNobody = 0, kCaller = 1, kCarrier = 2, kTollgate = 3, kOperator = 4 };
inline constexpr EndedBy kLastEndedBy = EndedBy::kOperator;

struct Endpoint {
  base::EndpointId id;
  std::string address;  // IP literal, no brackets
  std::uint16_t port = 5060;
  base::Transport transport = base::Transport::kUdp;
};

// A carrier trunk that the call may go to, with its endpoints in the order to try.
struct Candidate {
  base::TrunkId trunk;
  base::CustomerId vendor;
  std::uint32_t weight = 0;
  std::vector<Endpoint> endpoints;
  std::string unified_caller;                          // REQUIREMENTS 2.12, empty = the caller's own number
  std::string request_uri_parameter;                   // REQUIREMENTS 2.13
  std::string called_prefix;                           // digits put before the called number on the way out
  std::chrono::milliseconds try_timeout{0};            // 0 = the policy's
  std::chrono::milliseconds ringing_timeout{0};        // 0 = the policy's
  base::CodecSet codecs;                               // allowed towards this trunk; empty = all that the source row allows
  base::Reason unusable = base::Reason::kUnspecified;  // set: passed over without asking for a slot
};

// Who calls, as auth found it.
struct Identified {
  base::CustomerId customer;
  base::TrunkId trunk;
  base::SourceRowId source_row;
  std::string called;  // digits, + and tech prefix removed
  std::string caller;
  base::CodecSet codecs;
};

// A candidate that billing passed over; `index` is its position in the request.
struct Skipped {
  std::size_t index = 0;
  base::Reason reason = base::Reason::kUnspecified;
  std::string detail;
};

enum class AttemptEnd : std::uint8_t {
  kRunning,
  kAnswered,
  kRejected,
  kNoResponse,
  kTransportError,
  kRingingTimeout,
  kCancelled,
  kSkipped,
};
inline constexpr AttemptEnd kLastAttemptEnd = AttemptEnd::kSkipped;

// answered, rejected, no_response, transport_error, ringing_timeout, cancelled, skipped; "running" before its end.
[[nodiscard]] std::string_view attemptEndWord(AttemptEnd end) noexcept;
[[nodiscard]] std::string_view phaseWord(Phase phase) noexcept;
// authorize, route, reserve, occupy, extend.
[[nodiscard]] std::string_view decisionWord(Decision decision) noexcept;
// The stage of the decision trace (REQUIREMENTS 10.3) that makes the decision: auth, routing, billing.
[[nodiscard]] std::string_view stageOf(Decision decision) noexcept;

// One entry of the record's list of attempts (REQUIREMENTS 5.5).
struct Attempt {
  std::uint32_t number = 0;  // from 1
  base::TrunkId trunk;
  base::EndpointId endpoint;
  std::string address;  // address:port
  int final_code = 0;   // 0 = no final response
  std::chrono::microseconds lasted{0};
  AttemptEnd end = AttemptEnd::kRunning;
  base::Reason skipped = base::Reason::kUnspecified;
  std::string detail;
  base::WallTime started_at;
};

// All that is known of a call so far; at its end, the whole CDR (REQUIREMENTS 10.1).
struct CallRecord {
  std::string ingress_sip_call_id;
  std::string egress_sip_call_id;
  base::WallTime setup_at;
  base::WallTime ringing_at;   // epoch = never
  base::WallTime answered_at;  // epoch = never
  base::WallTime ended_at;
  std::string caller_in;
  std::string called_in;
  std::string caller_out;
  std::string called_out;
  std::string called_rated;  // what routing and rating saw
  std::string caller;        // after normalisation by auth
  base::CustomerId customer;
  base::TrunkId trunk;
  std::string source_address;
  std::uint16_t source_port = 0;
  base::Transport transport = base::Transport::kUdp;
  base::SourceRowId source_row;
  base::CustomerId carrier_customer;
  base::TrunkId carrier_trunk;
  base::EndpointId endpoint;
  std::string endpoint_address;
  base::RuleId rule;
  std::string rule_code;
  base::DialpeerId dialpeer;
  money::Rate rate;                     // as pinned at admission (REQUIREMENTS 8.3); plan 0 = none
  money::Rate vendor_rate;              // plan 0 = none
  std::chrono::microseconds talked{0};  // never beyond the paid time
  std::uint32_t paid_seconds = 0;
  std::int64_t held_micros = 0;
  std::chrono::microseconds pdd{0};  // INVITE in to first 18x or 200
  int final_code = 0;
  int q850_cause = 0;
  base::Reason reason = base::Reason::kUnspecified;
  EndedBy ended_by = EndedBy::kNobody;
  std::string ended_by_user;
  std::vector<Attempt> attempts;
  std::vector<base::TraceStep> trace;
  // The carrier trunks of a reserve or occupy that ended undecided: the call may hold a slot of any of them. Usually empty.
  std::vector<base::TrunkId> asked_trunks;
};

// What the deployment decides about every call. The defaults stand here only; the settings of the ingress take them from here.
struct Policy {
  std::chrono::milliseconds try_timeout{4000};       // REQUIREMENTS 5.2
  std::chrono::milliseconds ringing_timeout{90000};  // REQUIREMENTS 5.3
  std::chrono::milliseconds setup_timeout{180000};   // REQUIREMENTS 5.3
  std::chrono::milliseconds max_duration{0};         // REQUIREMENTS 6.7: 0 = none
  // How long a cancelled leg may keep its call in memory before it is dropped. It is longer than 64*T1 (32 s), the time in which
  // its final response must come (RFC 3261 9.1).
  std::chrono::milliseconds linger{36000};
  std::chrono::milliseconds rpc_timeout{500};
  std::uint32_t quantum_seconds = 60;    // largest extension in one request
  std::uint32_t heartbeat_seconds = 20;  // when billing names none
  bool stop_after_early_media = false;   // REQUIREMENTS 5.2, last sentence
  std::vector<int> stop_codes{404, 410, 484, 486, 487, 600, 603, 604, 606};
  base::RejectMap reject_map;
};

}  // namespace tollgate::call
