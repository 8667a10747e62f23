// A SIP user agent on a list of UDP listeners, with the operations that the call machine needs. Loop thread only: create, use and destroy
// it there. Owns the sockets and the state behind the handles that it gives out.
//
// The stack does without the owner of calls: retransmissions, matching, 100 after 200 ms if none was sent, 487 to a cancelled INVITE and
// 200 to its CANCEL, ACK of failures, 482 to merged requests, 400 to bad messages, ACK and BYE of forked or late 2xx. It drops what is not
// SIP. The owner of calls does: admission, 100 immediately, 483, loops, all dialog policy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/reason.hpp"
#include "libs/base/result.hpp"
#include "libs/sofia/handles.hpp"
#include "libs/sofia/key.hpp"
#include "libs/sofia/loop.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::sofia {

// What to do with a request outside dialogs, decided before any state exists.
enum class Admission : std::uint8_t {
  kAccept,
  kRefuse,  // stateless 403 with Reason unknown_source
  kDrop,    // no answer
};

// The events of the SIP side. They are called on the loop thread. Handles may be created, used and destroyed inside. An exception that an
// event throws is logged and goes no further, because it must not unwind through Sofia's C code.
class SipEvents {
 public:
  virtual ~SipEvents() = default;

  // First check of a request outside dialogs (never an ACK or CANCEL). It must be cheap, because it is all that a message of an unknown
  // source costs (REQUIREMENTS 2.4).
  virtual Admission admit(const Source& source) = 0;

  // A new call. Nothing has been answered yet, not even 100.
  virtual void onInvite(InviteIn invite, ServerTransaction transaction) = 0;
  // Any other admitted request outside our dialogs: OPTIONS, REGISTER, unknown methods. `names_dialog`: the request has a To tag, so it is
  // for a dialog that does not exist (any more); the answer is 481.
  virtual void onOutsideRequest(Method method, bool names_dialog, ServerTransaction transaction) = 0;

  // A request inside the dialog of a Leg: BYE, re-INVITE, UPDATE, INFO, PRACK ... Never ACK.
  virtual void onRequest(Key leg, Method method, ServerTransaction transaction) = 0;

  // Events of a received INVITE that has a key.
  virtual void onCancel(Key transaction) = 0;          // the stack sends 487 when this returns, unless the event has replied
  virtual void onAck(Key transaction, Body body) = 0;  // of any final reply; destroy the transaction
  virtual void onNoAck(Key transaction) = 0;           // timer H, 32 s after the final reply; a 2xx call must be ended with BYE

  // A response to an INVITE of ours that has a key. After a 2xx call Agent::ack().
  virtual void onResponse(Key transaction, ResponseIn response) = 0;
};

struct Listener {
  std::string address{};      // IP literal to bind
  std::uint16_t port = 5060;  // 0 = any free one (tests)
  std::string advertised{};   // IP literal written into Via and Contact; "" = the bound address
};

struct AgentOptions {
  std::vector<Listener> listeners{};     // at least one, at most 8
  std::string server_name = "Tollgate";  // Server and User-Agent; "" = none
  std::size_t incoming_max = 40'000;     // server transactions held by the owner of calls; beyond: 503 overloaded
  base::RejectMap reject_map{};          // codes and causes of the stateless refusals
  int retry_after_seconds = 3;           // of the 503 beyond incoming_max
  std::string hop_marker{};              // value of the header X-Tollgate-Hop sent with every INVITE; "" = none
  std::uint32_t socket_receive_bytes = 8U << 20U;
  std::uint32_t socket_send_bytes = 4U << 20U;
  std::uint32_t t1_milliseconds = 500;  // RFC 3261 17.1.1.1; tests may shorten it
};

// Totals since create(), and numbers of what exists now. The README of this folder names the metric of each.
struct AgentStats {
  std::uint64_t received = 0;           // messages
  std::uint64_t bad = 0;                // could not be parsed, or lack what RFC 3261 demands
  std::uint64_t retransmitted = 0;      // requests that the stack sent again
  std::uint64_t received_again = 0;     // requests that were received again
  std::uint64_t dropped = 0;            // Admission::kDrop, and packets from port 0
  std::uint64_t overloaded = 0;         // 503 beyond incoming_max
  std::size_t server_transactions = 0;  // handles alive
  std::size_t client_transactions = 0;  // handles alive
  std::size_t legs = 0;                 // handles alive
  std::size_t stack_incoming = 0;       // transactions in Sofia's tables, including those that only wait for a timer
  std::size_t stack_outgoing = 0;       // as stack_incoming
  std::size_t stack_legs = 0;           // dialogs in Sofia's tables
};

class Agent {
 public:
  // Binds the listeners. Requires: loop thread; `loop` and `events` outlive the agent.
  // Errors: kConflict a port is taken (names address and port); kInvalid a listener is not an IP literal, or there are none or too many;
  // kUnavailable the socket cannot be bound; kInternal.
  [[nodiscard]] static base::Result<std::unique_ptr<Agent>> create(Loop& loop, AgentOptions options, SipEvents& events);
  ~Agent();  // Requires: every handle is destroyed.
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // The listeners with the ports that they are bound to.
  [[nodiscard]] const std::vector<Listener>& listeners() const;

  // The dialog of an incoming INVITE (RFC 3261 12.1.1). Requires: `invite` is set.
  // Errors: kConflict after a reply above 100, a second time, or for another method; kInternal.
  [[nodiscard]] base::Result<Leg> acceptDialog(ServerTransaction& invite, Key key);

  struct OutgoingCall {
    Leg leg;
    ClientTransaction invite;
    std::string sip_call_id;  // of the new dialog, for the CDR
  };
  // Sends an INVITE in a new dialog; `key` serves leg and transaction.
  // Errors: kInvalid for what cannot be written safely (a host name, another address family than the listener's, parameters that would send
  // the request elsewhere); kOverLimit for a body that is too large; kInternal when the stack refuses.
  [[nodiscard]] base::Result<OutgoingCall> invite(const InviteOut& invite, Key key);

  // Acknowledges the 2xx of `invite` (of this leg), takes over its To tag, routes and target (RFC 3261 13.2.2.4), and ends the transaction.
  // The stack repeats the ACK for repeated 2xx. Errors: kConflict without a 2xx; as invite() for the body; kInternal when the stack
  // refuses.
  base::Result<void> ack(Leg& leg, ClientTransaction invite, const Body& body = {});

  // Sends BYE. Its answer is not reported, and the leg may be destroyed immediately. Errors: kConflict for an unset leg, or an outgoing one
  // before ack(); kInvalid for headers that cannot be written safely.
  base::Result<void> bye(Leg& leg, const Headers& headers = {});

  [[nodiscard]] AgentStats stats() const;

 private:
  explicit Agent(std::unique_ptr<AgentCore> core);
  std::unique_ptr<AgentCore> core_;
};

}  // namespace tollgate::sofia
