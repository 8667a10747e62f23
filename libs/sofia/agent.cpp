#include "libs/sofia/agent.hpp"

#include <utility>

#include "libs/base/assert.hpp"
#include "libs/sofia/compose.hpp"
#include "libs/sofia/core.hpp"
#include "libs/sofia/loop_impl.hpp"

namespace tollgate::sofia {
namespace {

// A dialog of nta that has its local tag from the beginning: with a tag added later it would also match requests without a To tag
// (libs/sofia/TRAPS.md 1.16).
nta_leg_t* createLeg(AgentCore& core, LegState* state, const std::string& local, const std::string& remote) {
  return nta_leg_tcreate(core.agent, AgentCore::onLegRequest, state, SIPTAG_FROM_STR(local.c_str()), SIPTAG_TO_STR(remote.c_str()),
                         TAG_END());
}

std::string localParty(const InviteOut& invite, const std::string& host, const std::string& tag) {
  if (invite.caller_user.empty()) {
    return "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=" + tag;
  }
  return "<sip:" + escapeUser(invite.caller_user) + "@" + host + ">;tag=" + tag;
}

std::string requestUri(const HostPort& destination, const std::string& user, const std::string& params) {
  std::string uri = "sip:" + (user.empty() ? std::string() : escapeUser(user) + "@") + uriHost(destination.address);
  if (destination.port != 5060) {
    uri += ":" + std::to_string(destination.port);
  }
  return params.empty() ? uri : uri + ";" + params;
}

}  // namespace

Agent::Agent(std::unique_ptr<AgentCore> core) : core_(std::move(core)) {}

Agent::~Agent() = default;

base::Result<std::unique_ptr<Agent>> Agent::create(Loop& loop, AgentOptions options, SipEvents& events) {
  TG_ASSERT(loop.isLoopThread());
  auto core = std::make_unique<AgentCore>(loop.impl_->root, std::move(options), events);
  TG_TRY(core->open());
  return std::unique_ptr<Agent>(new Agent(std::move(core)));
}

const std::vector<Listener>& Agent::listeners() const {
  return core_->options.listeners;
}

base::Result<Leg> Agent::acceptDialog(ServerTransaction& invite, Key key) {
  TG_ASSERT(invite);
  ServerState& server = *invite.state_;
  if (server.method != Method::kInvite || server.has_dialog || server.status > 100) {
    return base::fail(base::ErrorCode::kConflict, "this request cannot begin a dialog (any more)");
  }
  Leg result;
  result.state_.reset(new LegState{*core_, nullptr, server.source.listener, server.source.hostPort(), key, true});
  ++core_->counts.legs;
  msg_t* message = nta_incoming_getrequest(server.irq);
  const sip_t* sip = sip_object(message);
  const std::string tag = core_->newTag();
  su_home_t home[1] = {SU_HOME_INIT(home)};
  sip_to_t* local = sip_to_dup(home, sip->sip_to);
  nta_leg_t* leg = nullptr;
  if (local != nullptr && sip_to_tag(home, local, tag.c_str()) >= 0) {
    leg = nta_leg_tcreate(core_->agent, AgentCore::onLegRequest, result.state_.get(), SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(local),
                          SIPTAG_TO(sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
  }
  if (leg != nullptr) {
    result.state_->leg = leg;
    nta_leg_server_route(leg, sip->sip_record_route, sip->sip_contact);
    nta_incoming_tag(server.irq, tag.c_str());
    server.has_dialog = true;
  }
  su_home_deinit(home);
  msg_destroy(message);
  if (leg == nullptr) {
    return base::fail(base::ErrorCode::kInternal, "the SIP stack refused to begin a dialog");
  }
  return result;
}

base::Result<Agent::OutgoingCall> Agent::invite(const InviteOut& invite, Key key) {
  TG_TRY_ASSIGN(route, core_->route(invite.destination, invite.listener));
  TG_TRY(checkUriParams(invite.uri_params));
  if (invite.max_forwards < 0 || invite.max_forwards > 255) {
    return base::fail(base::ErrorCode::kInvalid, "Max-Forwards out of range");
  }
  const std::string uri = requestUri(invite.destination, invite.called_user, invite.uri_params);
  const std::string host = uriHost(core_->options.listeners[invite.listener].advertised);
  const std::string remote = "<" + requestUri(invite.destination, invite.called_user, "") + ">";
  OutgoingCall call;
  call.leg.state_.reset(new LegState{*core_, nullptr, invite.listener, invite.destination, key, false});
  ++core_->counts.legs;
  nta_leg_t* leg = createLeg(*core_, call.leg.state_.get(), localParty(invite, host, core_->newTag()), remote);
  if (leg == nullptr) {
    return base::fail(base::ErrorCode::kInvalid, "the SIP stack refused to begin a dialog");
  }
  call.leg.state_->leg = leg;
  std::string lines = "Max-Forwards: " + std::to_string(invite.max_forwards) + "\r\nContact: " + core_->contact(invite.listener) +
                      "\r\nAllow: " + std::string(kAllowedMethods) + "\r\n" + core_->nameLine("User-Agent");
  if (!core_->options.hop_marker.empty()) {
    lines += std::string(kHopMarkerHeader) + ": " + core_->options.hop_marker + "\r\n";
  }
  auto sent = core_->send(leg, route, uri.c_str(), Method::kInvite, invite.listener, lines, invite.body, key);
  if (!sent) {
    return tl::unexpected(sent.error());
  }
  call.invite = std::move(*sent);
  if (msg_t* message = nta_outgoing_getrequest(call.invite.state_->orq); message != nullptr) {
    call.sip_call_id = sip_object(message)->sip_call_id->i_id;
    msg_destroy(message);
  }
  return call;
}

base::Result<void> Agent::ack(Leg& leg, ClientTransaction invite, const Body& body) {
  if (!leg || !invite || invite.state_->method != Method::kInvite || invite.state_->status < 200 || invite.state_->status >= 300) {
    return base::fail(base::ErrorCode::kConflict, "no 2xx to acknowledge");
  }
  TG_TRY(checkBody(body));
  LegState& state = *leg.state_;
  nta_outgoing_t* orq = invite.state_->orq;
  // The routes and the target of the 2xx replace those of an early dialog (RFC 3261 13.2.2.4).
  if (msg_t* message = nta_outgoing_getresponse(orq); message != nullptr) {
    const sip_t* sip = sip_object(message);
    nta_leg_rtag(state.leg, sip->sip_to->a_tag);
    nta_leg_client_reroute(state.leg, sip->sip_record_route, sip->sip_contact, 0);
    state.is_established = true;
    msg_destroy(message);
  }
  const std::string cseq = std::to_string(invite.state_->cseq) + " ACK";
  TG_TRY_ASSIGN(route, core_->dialogRoute(state));
  const std::string lines = core_->nameLine("User-Agent");
  // With the branch given, nta does not search for the INVITE. It would abort when it finds none (libs/sofia/TRAPS.md 1.5).
  nta_outgoing_t* ack = nta_outgoing_tcreate(
      state.leg, nullptr, nullptr, reinterpret_cast<const url_string_t*>(route.c_str()), SIP_METHOD_ACK, nullptr,
      SIPTAG_CSEQ_STR(cseq.c_str()), NTATAG_ACK_BRANCH(nta_outgoing_branch(orq)), TPTAG_IDENT(core_->ident(state.listener).c_str()),
      TAG_IF(!lines.empty(), SIPTAG_HEADER_STR(lines.c_str())), TAG_IF(!body.text.empty(), SIPTAG_CONTENT_TYPE_STR(body.type.c_str())),
      TAG_IF(!body.text.empty(), SIPTAG_PAYLOAD_STR(body.text.c_str())), TAG_END());
  if (ack == nullptr) {
    return base::fail(base::ErrorCode::kInternal, "the SIP stack refused to build the ACK");
  }
  nta_outgoing_destroy(ack);  // nta keeps it to answer repeated 2xx
  return {};
}

base::Result<void> Agent::bye(Leg& leg, const Headers& headers) {
  if (!leg || !leg.state_->is_established) {
    return base::fail(base::ErrorCode::kConflict, "the dialog is not established");
  }
  TG_TRY_ASSIGN(lines, headerLines(headers));
  lines += core_->nameLine("User-Agent");
  TG_TRY_ASSIGN(route, core_->dialogRoute(*leg.state_));
  TG_TRY(core_->send(leg.state_->leg, route, nullptr, Method::kBye, leg.state_->listener, lines, {}, kNoKey));
  return {};
}

AgentStats Agent::stats() const {
  AgentStats stats = core_->counts;
  usize_t received = 0, bad = 0, again_out = 0, again_in = 0, incoming = 0, outgoing = 0, legs = 0;
  nta_agent_get_stats(core_->agent, NTATAG_S_RECV_MSG_REF(received), NTATAG_S_BAD_MESSAGE_REF(bad), NTATAG_S_RETRY_REQUEST_REF(again_out),
                      NTATAG_S_RECV_RETRY_REF(again_in), NTATAG_S_IRQ_HASH_USED_REF(incoming), NTATAG_S_ORQ_HASH_USED_REF(outgoing),
                      NTATAG_S_LEG_HASH_USED_REF(legs), TAG_END());
  stats.received = received;
  stats.bad = bad;
  stats.retransmitted = again_out;
  stats.received_again = again_in;
  stats.stack_incoming = incoming;
  stats.stack_outgoing = outgoing;
  stats.stack_legs = legs;
  return stats;
}

}  // namespace tollgate::sofia
