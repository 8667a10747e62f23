// The implementation of Agent: the nta agent, its listeners and the C callbacks. Private to libs/sofia; loop thread only. Owns the nta
// agent. Handles point into this object, so it outlives every handle.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/sofia/agent.hpp"
#include "libs/sofia/parse.hpp"
#include "libs/sofia/sofia_api.hpp"

namespace tollgate::sofia {

// The state behind each handle of handles.hpp. nta holds a pointer to it exactly as long as the handle exists; the deleters end that. The
// owner of calls is named by `key`, never by a pointer, because it may no longer exist when the stack calls.
struct ServerState {
  AgentCore& core;
  nta_incoming_t* irq;
  Method method;
  Source source;
  Key key = kNoKey;
  int status = 0;  // of the last reply
  bool has_dialog = false;
};

struct LegState {
  AgentCore& core;
  nta_leg_t* leg = nullptr;
  std::size_t listener = 0;
  HostPort peer;  // where the dialog began: the next hop when the other side gives no usable address
  Key key = kNoKey;
  bool is_established = false;  // has a remote tag
};

struct ClientState {
  AgentCore& core;
  Method method;
  nta_outgoing_t* orq = nullptr;
  Key key = kNoKey;
  std::uint32_t cseq = 0;
  int status = 0;  // highest seen
  bool is_cancelled = false;
};

class AgentCore {
 public:
  AgentCore(su_root_t* root, AgentOptions options, SipEvents& events);
  ~AgentCore();
  AgentCore(const AgentCore&) = delete;
  AgentCore& operator=(const AgentCore&) = delete;

  // Errors: as Agent::create().
  [[nodiscard]] base::Result<void> open();

  // Identity of a listener for nta (TPTAG_IDENT) and its Contact, "<sip:address:port>".
  [[nodiscard]] const std::string& ident(std::size_t listener) const { return idents_[listener]; }
  [[nodiscard]] const std::string& contact(std::size_t listener) const { return contacts_[listener]; }
  // Errors: kInvalid for no such listener, for what is not an IP literal, or for another address family than the listener's.
  [[nodiscard]] base::Result<std::string> route(const HostPort& hop, std::size_t listener) const;
  // Next hop inside a dialog: its route or target when that is an IP literal, else where the dialog began.
  [[nodiscard]] base::Result<std::string> dialogRoute(const LegState& leg) const;
  [[nodiscard]] std::string newTag() const;
  // Server or User-Agent line, "" when there is no name.
  [[nodiscard]] std::string nameLine(std::string_view header) const;

  [[nodiscard]] ServerTransaction wrap(nta_incoming_t* irq, Method method, const Source& source);
  // Sends an INVITE or a BYE. Without `request_uri` the leg's target is used.
  // Errors: kInvalid when the stack refuses; as checkBody() for the body.
  [[nodiscard]] base::Result<ClientTransaction> send(nta_leg_t* leg, const std::string& route, const char* request_uri, Method method,
                                                     std::size_t listener, const std::string& header_lines, const Body& body, Key key);

  // nta's callbacks.
  static int onStateless(AgentCore* core, nta_agent_t* agent, msg_t* message, sip_t* sip) noexcept;
  static int onLegRequest(LegState* leg, nta_leg_t* nta_leg, nta_incoming_t* irq, const sip_t* sip) noexcept;
  static int onAckOrCancel(ServerState* state, nta_incoming_t* irq, const sip_t* sip) noexcept;
  static int onResponse(ClientState* state, nta_outgoing_t* orq, const sip_t* sip) noexcept;

  // Passed in.
  su_root_t* root;
  AgentOptions options;
  SipEvents& events;

  // Owned.
  nta_agent_t* agent = nullptr;

  // Derived.
  AgentStats counts;  // those that nta does not count itself
  OwnHops own;

 private:
  [[nodiscard]] base::Result<void> listen(std::size_t index);
  void receiveOutside(msg_t* message, sip_t* sip);
  void answerStateless(msg_t* message, base::Reason reason);
  [[nodiscard]] std::size_t listenerOf(const msg_t* message) const;

  std::vector<std::string> idents_;
  std::vector<std::string> contacts_;
};

}  // namespace tollgate::sofia
