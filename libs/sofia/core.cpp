#include "libs/sofia/core.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>

#include "libs/base/assert.hpp"
#include "libs/base/limits.hpp"
#include "libs/base/reason.hpp"
#include "libs/sofia/compose.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::sofia {
namespace {

constexpr std::size_t kListenersMax = 8;

// Every callback runs inside this function: an exception must not unwind through Sofia's C frames, and one message must not end the
// process.
template <class Function>
void guarded(const char* where, const Function& function) noexcept {
  try {
    function();
  } catch (const std::exception& error) {
    telemetry::error("exception in a SIP event", {{"where", where}, {"error", std::string_view(error.what())}});
  } catch (...) {
    telemetry::error("exception in a SIP event", {{"where", where}});
  }
}

// The URL to bind: the host is what Via shows, maddr is what the socket is bound to.
std::string bindUrl(const Listener& listener) {
  const std::string& shown = listener.advertised.empty() ? listener.address : listener.advertised;
  std::string url = "sip:" + uriHost(shown) + ":" + std::to_string(listener.port) + ";transport=udp";
  if (shown != listener.address) {
    url += ";maddr=" + uriHost(listener.address);
  }
  return url;
}

}  // namespace

AgentCore::AgentCore(su_root_t* root_in, AgentOptions options_in, SipEvents& events_in)
    : root(root_in), options(std::move(options_in)), events(events_in) {}

AgentCore::~AgentCore() {
  // A handle that outlived the agent would call into a destroyed nta agent.
  TG_ASSERT(counts.server_transactions == 0 && counts.client_transactions == 0 && counts.legs == 0);
  if (agent != nullptr) {
    nta_agent_destroy(agent);
  }
}

base::Result<void> AgentCore::open() {
  if (options.listeners.empty() || options.listeners.size() > kListenersMax) {
    return base::fail(base::ErrorCode::kInvalid, "SIP needs 1 to 8 listeners");
  }
  agent = nta_agent_create(
      root, reinterpret_cast<url_string_t*>(-1), onStateless, this, NTATAG_UA(1), NTATAG_MERGE_482(1),
      NTATAG_PROGRESS(UINT_MAX),  // its list of ringing calls is sorted by insertion: cost grows with every call (libs/sofia/TRAPS.md 1.4)
      NTATAG_UDP_MTU(65535),      // a large INVITE must not wait for TCP first (libs/sofia/TRAPS.md 1.6)
      NTATAG_MAXSIZE(base::limits::kSipMessageBytesMax), NTATAG_MAX_PROCEEDING(static_cast<usize_t>(options.incoming_max)),
      NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_SERVER_RPORT(1), NTATAG_TIMEOUT_408(1), NTATAG_CANCEL_487(1), NTATAG_PRELOAD(1500),
      NTATAG_SIP_T1(options.t1_milliseconds), NTATAG_SIP_T1X64(64 * options.t1_milliseconds), TAG_END());
  if (agent == nullptr) {
    return base::fail(base::ErrorCode::kInternal, "cannot create the SIP stack");
  }
  for (std::size_t index = 0; index < options.listeners.size(); ++index) {
    TG_TRY(listen(index));
  }
  own.marker = options.hop_marker;
  return {};
}

base::Result<void> AgentCore::listen(std::size_t index) {
  Listener& listener = options.listeners[index];
  const IpFamily family = ipFamily(listener.address);
  if (family == IpFamily::kNone || (!listener.advertised.empty() && ipFamily(listener.advertised) != family)) {
    return base::fail(base::ErrorCode::kInvalid, "a SIP listener needs an IP address (and an advertised one of the same kind), not '" +
                                                     listener.address + "' '" + listener.advertised + "'");
  }
  const std::string name = "l" + std::to_string(index);  // read back by listenerOf()
  errno = 0;
  if (nta_agent_add_tport(agent, reinterpret_cast<const url_string_t*>(bindUrl(listener).c_str()), TPTAG_IDENT(name.c_str()),
                          TPTAG_UDP_RMEM(options.socket_receive_bytes), TPTAG_UDP_WMEM(options.socket_send_bytes), TAG_END()) < 0) {
    const int error = su_errno();
    const std::string where = listener.address + ":" + std::to_string(listener.port);
    if (error == EADDRINUSE) {
      return base::fail(base::ErrorCode::kConflict, "SIP cannot listen on udp " + where + ": the port is taken");
    }
    return base::fail(base::ErrorCode::kUnavailable, "SIP cannot listen on udp " + where + ": " + std::strerror(error));
  }
  // Port 0 asks the system for a free one; nta does not say which, but the transport does.
  for (tport_t* port = tport_primaries(nta_agent_tports(agent)); port != nullptr; port = tport_next(port)) {
    const tp_name_t* bound = tport_name(port);
    if (bound->tpn_ident != nullptr && name == bound->tpn_ident) {
      const su_addrinfo_t* address = tport_get_address(port);
      TG_ASSERT(address != nullptr && address->ai_addr != nullptr);
      listener.port = ntohs(reinterpret_cast<const su_sockaddr_t*>(address->ai_addr)->su_port);
    }
  }
  if (listener.advertised.empty()) {
    listener.advertised = listener.address;
  }
  idents_.push_back(name);
  contacts_.push_back("<sip:" + uriHost(listener.advertised) + ":" + std::to_string(listener.port) + ">");
  own.addresses.push_back({listener.advertised, listener.port});
  return {};
}

base::Result<std::string> AgentCore::route(const HostPort& hop, std::size_t listener) const {
  if (listener >= options.listeners.size()) {
    return base::fail(base::ErrorCode::kInvalid, "no SIP listener " + std::to_string(listener));
  }
  TG_TRY_ASSIGN(uri, routeUri(hop));
  if (ipFamily(hop.address) != ipFamily(options.listeners[listener].address)) {
    return base::fail(base::ErrorCode::kInvalid, "the listener cannot reach " + hop.address + ": IPv4 and IPv6 differ");
  }
  return uri;
}

base::Result<std::string> AgentCore::dialogRoute(const LegState& leg) const {
  const sip_route_t* first = nullptr;
  const sip_contact_t* target = nullptr;
  nta_leg_get_route(leg.leg, &first, &target);
  HostPort hop{"", 0};
  if (first != nullptr) {
    hop = hopOf(*first->r_url);
  } else if (target != nullptr) {
    hop = hopOf(*target->m_url);
  }
  if (auto uri = route(hop, leg.listener)) {
    return uri;
  }
  // The Contact holds a name or another address family, and nta would try to resolve it (libs/sofia/TRAPS.md 1.5). The best known address
  // is the one where the dialog began.
  return route(leg.peer, leg.listener);
}

std::string AgentCore::newTag() const {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  const char* tag = nta_agent_newtag(home, nullptr, agent);
  std::string result = tag == nullptr ? std::string() : std::string(tag);
  su_home_deinit(home);
  return result;
}

std::string AgentCore::nameLine(std::string_view header) const {
  return options.server_name.empty() ? std::string() : std::string(header) + ": " + options.server_name + "\r\n";
}

std::size_t AgentCore::listenerOf(const msg_t* message) const {
  const tport_t* port = tport_delivered_by(nta_agent_tports(agent), message);
  const char* name = port == nullptr ? nullptr : tport_name(port)->tpn_ident;
  if (name != nullptr && name[0] == 'l' && name[1] >= '0' && name[1] <= '7') {
    return static_cast<std::size_t>(name[1] - '0');
  }
  return 0;
}

ServerTransaction AgentCore::wrap(nta_incoming_t* irq, Method method, const Source& source) {
  ServerTransaction transaction;
  transaction.state_.reset(new ServerState{*this, irq, method, source});
  ++counts.server_transactions;
  return transaction;
}

base::Result<ClientTransaction> AgentCore::send(nta_leg_t* leg, const std::string& route, const char* request_uri, Method method,
                                                std::size_t listener, const std::string& header_lines, const Body& body, Key key) {
  TG_TRY(checkBody(body));
  ClientTransaction transaction;
  transaction.state_.reset(new ClientState{*this, method, nullptr, key});
  ++counts.client_transactions;
  const auto* route_url = reinterpret_cast<const url_string_t*>(route.c_str());
  const auto* uri = reinterpret_cast<const url_string_t*>(request_uri);
  const sip_method_t number = method == Method::kInvite ? sip_method_invite : sip_method_bye;
  const char* name = method == Method::kInvite ? "INVITE" : "BYE";
  // PASS_100: a 100 shows that the carrier is there, which ends the try timeout (REQUIREMENTS 5.2).
  nta_outgoing_t* orq = nta_outgoing_tcreate(
      leg, onResponse, transaction.state_.get(), route_url, number, name, uri, TPTAG_IDENT(ident(listener).c_str()), NTATAG_PASS_100(1),
      SIPTAG_HEADER_STR(header_lines.c_str()), TAG_IF(!body.text.empty(), SIPTAG_CONTENT_TYPE_STR(body.type.c_str())),
      TAG_IF(!body.text.empty(), SIPTAG_PAYLOAD_STR(body.text.c_str())), TAG_END());
  if (orq == nullptr) {
    return base::fail(base::ErrorCode::kInvalid, std::string("the SIP stack refused to build the ") + name);
  }
  transaction.state_->orq = orq;
  transaction.state_->cseq = nta_outgoing_cseq(orq);
  return transaction;
}

void AgentCore::answerStateless(msg_t* message, base::Reason reason) {
  const base::RejectMap::Answer answer = options.reject_map.answer(reason);
  std::string lines = "Reason: " + base::reasonHeader(reason, answer.q850_cause) + "\r\n" + nameLine("Server");
  if (base::reasonRow(reason).retry_after) {
    lines += "Retry-After: " + std::to_string(options.retry_after_seconds) + "\r\n";
  }
  const std::string phrase(base::reasonRow(reason).phrase);
  nta_msg_treply(agent, message, answer.sip_code, phrase.c_str(), SIPTAG_HEADER_STR(lines.c_str()), TAG_END());
}

// Nothing is parsed or allocated before `admit`, because a message of an unknown source must cost no more than what comes before it.
void AgentCore::receiveOutside(msg_t* message, sip_t* sip) {
  const Method method = methodOf(sip->sip_request->rq_method);
  if (method == Method::kAck) {
    nta_msg_discard(agent, message);  // an ACK of a stateless answer, or of nothing we know
    return;
  }
  if (method == Method::kCancel) {
    nta_msg_treply(agent, message, SIP_481_NO_TRANSACTION, TAG_END());
    return;
  }
  const Source source = sourceOf(msg_addr(message), listenerOf(message));
  Admission admission = Admission::kDrop;
  if (source.port != 0) {  // no answer could be sent there
    guarded("admit", [&] { admission = events.admit(source); });
  }
  if (admission == Admission::kDrop) {
    ++counts.dropped;
    nta_msg_discard(agent, message);
    return;
  }
  if (admission == Admission::kRefuse) {
    answerStateless(message, base::Reason::kUnknownSource);
    return;
  }
  if (counts.server_transactions >= options.incoming_max) {
    ++counts.overloaded;
    answerStateless(message, base::Reason::kOverloaded);
    return;
  }
  const bool names_dialog = sip->sip_to->a_tag != nullptr && sip->sip_to->a_tag[0] != '\0';
  const bool is_new_call = method == Method::kInvite && !names_dialog;
  // Parsed before nta_incoming_create(), which takes the message over and may free it.
  InviteIn invite = is_new_call ? parseInvite(*sip, source, own) : InviteIn{};
  nta_incoming_t* irq = nta_incoming_create(agent, nullptr, message, sip, TAG_END());
  if (irq == nullptr) {
    return;
  }
  ServerTransaction transaction = wrap(irq, method, source);
  guarded("request", [&] {
    if (is_new_call) {
      events.onInvite(std::move(invite), std::move(transaction));
    } else {
      events.onOutsideRequest(method, names_dialog, std::move(transaction));
    }
  });
}

int AgentCore::onStateless(AgentCore* core, nta_agent_t* agent, msg_t* message, sip_t* sip) noexcept {
  if (sip == nullptr || sip->sip_request == nullptr) {
    nta_msg_discard(agent, message);  // a response that belongs to nothing
    return 0;
  }
  guarded("message", [&] { core->receiveOutside(message, sip); });
  return 0;
}

int AgentCore::onLegRequest(LegState* leg, nta_leg_t* /*nta_leg*/, nta_incoming_t* irq, const sip_t* sip) noexcept {
  const Method method = methodOf(sip->sip_request->rq_method);
  if (method == Method::kAck) {
    // nta makes a server transaction of every ACK that no INVITE transaction took, and walks over the kept ones at each tick of its timer.
    // An ACK of a 2xx has reached its INVITE (onAckOrCancel) before; what comes here is a repeated or late one.
    nta_incoming_destroy(irq);
    return 0;
  }
  AgentCore& core = leg->core;
  const Key key = leg->key;  // the leg may be destroyed during the event
  guarded("in-dialog request", [&] {
    msg_t* message = nta_incoming_getrequest(irq);
    const Source source = sourceOf(msg_addr(message), core.listenerOf(message));
    msg_destroy(message);
    ServerTransaction transaction = core.wrap(irq, method, source);
    if (core.counts.server_transactions > core.options.incoming_max) {
      ++core.counts.overloaded;
      (void)transaction.reply(
          {.status = 503, .phrase = {}, .headers = {}, .retry_after_seconds = core.options.retry_after_seconds, .body = {}});
      return;
    }
    if (key == kNoKey) {  // the leg has no owner
      (void)transaction.reply({.status = 481, .phrase = {}, .headers = {}, .retry_after_seconds = 0, .body = {}});
      return;
    }
    core.events.onRequest(key, method, std::move(transaction));
  });
  return 0;
}

int AgentCore::onAckOrCancel(ServerState* state, nta_incoming_t* /*irq*/, const sip_t* sip) noexcept {
  if (state == nullptr || state->key == kNoKey) {
    return 0;
  }
  SipEvents& events = state->core.events;
  const Key key = state->key;  // the transaction may be destroyed during the event
  guarded("ack or cancel", [&] {
    if (sip == nullptr) {
      events.onNoAck(key);
    } else if (methodOf(sip->sip_request->rq_method) == Method::kCancel) {
      events.onCancel(key);
    } else {
      events.onAck(key, bodyOf(*sip));
    }
  });
  return 0;
}

int AgentCore::onResponse(ClientState* state, nta_outgoing_t* orq, const sip_t* sip) noexcept {
  if (state == nullptr) {
    return 0;
  }
  guarded("response", [&] {
    ResponseIn response;
    if (sip != nullptr && sip->sip_status != nullptr) {
      response = parseResponse(*sip);
    } else {  // nta reports some of its own time-outs by the status alone
      response.status = nta_outgoing_status(orq) >= 300 ? nta_outgoing_status(orq) : 408;
      response.origin = Origin::kTimeout;
    }
    state->status = std::max(state->status, response.status);
    if (state->key != kNoKey) {
      state->core.events.onResponse(state->key, std::move(response));
    }
  });
  return 0;
}

}  // namespace tollgate::sofia
