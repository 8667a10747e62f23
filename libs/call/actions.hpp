// The actions that a call machine asks its owner to carry out. They are small plain values; the owner reads what they are about (numbers,
// candidates, the record) from the machine. The owner carries them out in order, before it gives the machine the next event. Bodies of SIP
// messages never enter the machine. Used only on the thread that owns the call.
#pragma once

#include <chrono>
#include <variant>
#include <vector>

#include "libs/call/events.hpp"

namespace tollgate::call {

struct AskAuthorize {};
struct AskRoute {};
struct AskReserve {};           // for CallMachine::askedCandidates()
struct AskOccupy {              // for CallMachine::askedCandidates()
  base::TrunkId release_trunk;  // its slot is given back
};
struct AskExtend {
  std::uint32_t confirmed_seconds = 0;
  std::uint32_t want_paid_seconds = 0;  // 0 = heartbeat
  std::uint32_t sequence = 0;           // 1 for the first of the call
  bool was_refused = false;             // by the answer before
};

// INVITE to an endpoint of a candidate; both are indexes. A leg that cannot be started is answered with LegFailed.
struct StartLeg {
  LegId leg = 0;
  std::size_t candidate = 0;
  std::size_t endpoint = 0;
};
struct AckLeg {
  LegId leg = 0;
};
struct CancelLeg {
  LegId leg = 0;
};
struct ByeLeg {
  LegId leg = 0;
};
// Destroy the leg, which did not end in time after its CANCEL.
struct DropLeg {
  LegId leg = 0;
};

// A provisional response to the caller. The SDP, if any, is that of the leg's message which is being handled.
struct RelayProvisional {
  LegId leg = 0;
  int code = 180;
  bool with_sdp = false;
};
struct AnswerCaller {
  LegId leg = 0;
};
struct RejectCaller {
  int code = 0;
  int q850_cause = 0;
  base::Reason reason = base::Reason::kUnspecified;
};
struct ByeCaller {};  // with the reason and cause of the record

struct ArmTimer {
  TimerKind timer = TimerKind::kSetup;
  std::chrono::milliseconds after{0};
};
struct DisarmTimer {
  TimerKind timer = TimerKind::kSetup;
};

enum class Published : std::uint8_t { kStarted, kRouted, kAttempted, kRinging, kAnswered, kEnded, kRejected };

struct Publish {
  Published event = Published::kStarted;
  std::uint32_t sequence = 0;
  std::size_t attempt = 0;  // index into the record's, of kAttempted
};

using Action = std::variant<AskAuthorize, AskRoute, AskReserve, AskOccupy, AskExtend, StartLeg, AckLeg, CancelLeg, ByeLeg, DropLeg,
                            RelayProvisional, AnswerCaller, RejectCaller, ByeCaller, ArmTimer, DisarmTimer, Publish>;
using Actions = std::vector<Action>;

}  // namespace tollgate::call
