// One call of the ingress. Owns its machine, the SIP handles of both sides and its timers. Loop thread only. The handles are destroyed with
// the call; the stack completes what is still under way (BYE, late answers) without them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "libs/call/machine.hpp"
#include "libs/sdp/sdp.hpp"
#include "libs/sofia/handles.hpp"
#include "libs/sofia/messages.hpp"
#include "libs/sofia/timer_wheel.hpp"

namespace tollgate::ingress {

struct CarrierLeg {
  sofia::Leg leg;
  sofia::ClientTransaction invite;
};

struct Call {
  Call(base::CallId id, const call::Policy& policy) : machine(std::move(id), policy) {}

  call::CallMachine machine;
  // The caller's side.
  sofia::ServerTransaction invite;
  sofia::Leg dialog;
  sofia::Body offer;        // as received, until a carrier has answered
  std::string unsupported;  // option tags that the caller requires and we do not support: the refusal is 420 (RFC 3261 8.2.2.3)
  std::size_t listener = 0;
  int max_forwards = 70;
  bool ack_expected = false;       // a 2xx was sent
  bool bye_waits_for_ack = false;  // RFC 3261 15: the caller gets no BYE before its ACK
  // The carriers' side; LegId - 1 is the index.
  std::vector<CarrierLeg> legs;
  std::string row_offer;  // the offer with the source row's codecs, for carriers that allow all of them
  sofia::Body ack_body;   // the caller's answer to a delayed offer
  sdp::Origin origin_to_carrier;
  sdp::Origin origin_to_caller;

  std::array<sofia::TimerHandle, base::enumSize(call::kLastTimerKind)> timers{};
  base::MonotonicTime invited_at;
  bool leg_started = false;
};

}  // namespace tollgate::ingress
