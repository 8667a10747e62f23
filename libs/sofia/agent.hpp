// SIP as the call machine needs it: a user agent on a list of UDP listeners. Loop thread only (create, use and destroy it there).
//
// What the stack does by itself: retransmissions, matching, 100 after 200 ms if none was sent, 487 to a cancelled INVITE and 200 to its
// CANCEL, ACK of failures, merged requests (482), bad messages (400), noise (dropped), ACK + BYE of forked or late 2xx.
// What the owner of calls does: admission, 483, loops, 100 at once, all dialog policy.
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
  kRefuse,      // stateless 403 with Reason unknown_source
  kDrop,        // silence
  kOverloaded,  // stateless 503 with Retry-After and Reason overloaded
  kDraining,    // stateless 503 with Retry-After and Reason draining
};

// All calls come on the loop thread. Handles may be created, used and destroyed inside. An exception that escapes is logged and ends there.
class SipEvents {
 public:
  virtual ~SipEvents() = default;

  // First look at a request outside dialogs (never an ACK or CANCEL). Must be cheap: this is all that an unknown source costs.
  virtual Admission admit(const Source& source, Method method) = 0;

  // A new call. Not answered yet, not even with 100.
  virtual void onInvite(RequestIn invite, ServerTransaction transaction) = 0;
  // Any other admitted request outside dialogs: OPTIONS, REGISTER, unknown methods; also BYE and others that name a dialog we do not
  // have: reply 481 when request.to.tag is not empty.
  virtual void onOutsideRequest(RequestIn request, ServerTransaction transaction) = 0;

  // A request inside the dialog of a Leg: BYE, re-INVITE, UPDATE, INFO, PRACK ... Never ACK.
  virtual void onRequest(Key leg, RequestIn request, ServerTransaction transaction) = 0;

  // To a server INVITE with a key.
  virtual void onCancel(Key transaction) = 0;          // the stack sends 487 when this returns, unless replied inside
  virtual void onAck(Key transaction, Body body) = 0;  // of any final reply; destroy the transaction
  virtual void onNoAck(Key transaction) = 0;           // timer H, 32 s after the final reply; a 2xx call must be ended with BYE

  // To a client transaction with a key. After a 2xx to INVITE call Agent::ack().
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
  base::RejectMap reject_map{};          // codes of the stateless answers
  int retry_after_seconds = 3;           // of stateless 503
  std::string hop_marker{};              // value of the header X-Tollgate-Hop sent with every INVITE; "" = none
  std::uint32_t socket_receive_bytes = 8U << 20U;
  std::uint32_t socket_send_bytes = 4U << 20U;
  std::uint32_t t1_milliseconds = 500;  // tests may shorten
};

struct AgentStats {
  std::uint64_t received = 0;        // messages
  std::uint64_t bad = 0;             // unparsable or insane
  std::uint64_t retransmitted = 0;   // requests we sent again
  std::uint64_t received_again = 0;  // requests that came again
  std::uint64_t refused = 0;         // stateless 403
  std::uint64_t dropped = 0;
  std::uint64_t overloaded = 0;         // stateless 503
  std::size_t server_transactions = 0;  // handles alive
  std::size_t client_transactions = 0;
  std::size_t legs = 0;
  std::size_t stack_incoming = 0;  // in Sofia's tables, its own timers included
  std::size_t stack_outgoing = 0;
  std::size_t stack_legs = 0;
};

class Agent {
 public:
  // `loop` and `events` must outlive the agent. kConflict: a port is taken (names address and port); kInvalid: a listener is not an IP
  // literal.
  [[nodiscard]] static base::Result<std::unique_ptr<Agent>> create(Loop& loop, AgentOptions options, SipEvents& events);
  ~Agent();  // every handle must be gone
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // With the ports really bound.
  [[nodiscard]] const std::vector<Listener>& listeners() const;

  // The dialog of an incoming INVITE; at most once per transaction, before any reply above 100 and inside onInvite or later.
  [[nodiscard]] base::Result<Leg> acceptDialog(ServerTransaction& invite, Key key);

  struct OutgoingCall {
    Leg leg;
    ClientTransaction invite;
    std::string sip_call_id;  // of the new dialog, for the CDR
  };
  // Sends an INVITE in a new dialog; `key` serves leg and transaction (setKey on either to tell them apart). kInvalid for anything that
  // could not be written safely: a host name, a header with a line break, a body too large.
  [[nodiscard]] base::Result<OutgoingCall> invite(const InviteOut& invite, Key key);

  // Acknowledges the 2xx of `invite` (of this leg), takes over its To tag, routes and target, and ends the transaction. The stack repeats
  // the ACK for repeated 2xx. kConflict without a 2xx.
  base::Result<void> ack(Leg& leg, ClientTransaction invite, const Body& body = {});

  // A request inside the dialog. Drop the result when the answer does not matter. UAC legs: only after ack().
  [[nodiscard]] base::Result<ClientTransaction> request(Leg& leg, const RequestOut& request, Key key);
  // BYE whose answer nobody waits for; the leg may be destroyed at once.
  base::Result<void> bye(Leg& leg, const Headers& headers = {});

  [[nodiscard]] base::Result<ClientTransaction> requestOutside(const OutsideOut& request, Key key);

  [[nodiscard]] AgentStats stats() const;

 private:
  explicit Agent(std::unique_ptr<AgentCore> core);
  std::unique_ptr<AgentCore> core_;
};

}  // namespace tollgate::sofia
