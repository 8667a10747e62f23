#include "libs/sofia/handles.hpp"

#include <array>

#include "libs/base/assert.hpp"
#include "libs/sofia/compose.hpp"
#include "libs/sofia/core.hpp"

namespace tollgate::sofia {
namespace {

// Contact, Allow, Server and Retry-After of a reply.
std::string ownLines(const ServerState& state, const Reply& reply) {
  const bool is_target_refresh = state.method == Method::kInvite || state.method == Method::kUpdate;
  std::string lines = reply.status > 100 ? state.core.nameLine("Server") : std::string();
  if (is_target_refresh && reply.status > 100 && reply.status < 300) {
    lines += "Contact: " + state.core.contact(state.source.listener) + "\r\n";
  }
  const bool is_success = reply.status >= 200 && reply.status < 300;
  if (reply.status == 405 || (is_success && (is_target_refresh || state.method == Method::kOptions))) {
    lines += "Allow: " + std::string(kAllowedMethods) + "\r\n";
  }
  if (reply.retry_after_seconds > 0) {
    lines += "Retry-After: " + std::to_string(reply.retry_after_seconds) + "\r\n";
  }
  return lines;
}

}  // namespace

// When the transaction is destroyed before its final reply, nta answers 500.
void ServerStateDeleter::operator()(ServerState* state) const noexcept {
  --state->core.counts.server_transactions;
  nta_incoming_destroy(state->irq);
  delete state;
}

void LegStateDeleter::operator()(LegState* state) const noexcept {
  --state->core.counts.legs;
  if (state->leg != nullptr) {
    nta_leg_destroy(state->leg);
  }
  delete state;
}

void ClientStateDeleter::operator()(ClientState* state) const noexcept {
  --state->core.counts.client_transactions;
  if (state->orq != nullptr) {
    if (state->method == Method::kInvite && state->status < 200 && !state->is_cancelled) {
      // nta would forget an INVITE that is only destroyed, and a late 2xx would get no ACK. It completes a cancelled INVITE.
      nta_outgoing_tcancel(state->orq, nullptr, nullptr, TAG_END());
    }
    nta_outgoing_destroy(state->orq);
  }
  delete state;
}

void ServerTransaction::setKey(Key key) {
  TG_ASSERT(state_);
  state_->key = key;
  if (state_->method == Method::kInvite) {  // only an INVITE has an ACK and can be cancelled
    nta_incoming_bind(state_->irq, AgentCore::onAckOrCancel, state_.get());
  }
}

base::Result<void> ServerTransaction::reply(const Reply& reply) {
  TG_ASSERT(state_);
  if (reply.status < 100 || reply.status > 699) {
    return base::fail(base::ErrorCode::kInvalid, "not a SIP status: " + std::to_string(reply.status));
  }
  if (state_->status >= 200 || nta_incoming_status(state_->irq) >= 200) {
    return base::fail(base::ErrorCode::kConflict, "the request has its final reply");
  }
  TG_TRY_ASSIGN(lines, headerLines(reply.headers));
  TG_TRY(checkBody(reply.body));
  lines += ownLines(*state_, reply);
  const bool is_plain = reply.phrase.find_first_of("\r\n") == std::string::npos;
  const char* phrase = reply.phrase.empty() || !is_plain ? sip_status_phrase(reply.status) : reply.phrase.c_str();
  const bool has_body = !reply.body.text.empty();
  const int sent = nta_incoming_treply(state_->irq, reply.status, phrase, TAG_IF(!lines.empty(), SIPTAG_HEADER_STR(lines.c_str())),
                                       TAG_IF(has_body, SIPTAG_CONTENT_TYPE_STR(reply.body.type.c_str())),
                                       TAG_IF(has_body, SIPTAG_PAYLOAD_STR(reply.body.text.c_str())), TAG_END());
  state_->status = std::max(state_->status, reply.status);
  // nta returns 0 although the socket refused the packet; only the status of its transaction tells (libs/sofia/TRAPS.md 1.15).
  if (sent < 0 || (reply.status >= 200 && nta_incoming_status(state_->irq) < 200)) {
    return base::fail(base::ErrorCode::kUnavailable, "the reply could not be sent");
  }
  return {};
}

base::Result<void> ClientTransaction::cancel() {
  TG_ASSERT(state_);
  if (state_->status >= 200 || state_->is_cancelled) {
    return base::fail(base::ErrorCode::kConflict, "nothing to cancel");
  }
  state_->is_cancelled = true;
  if (nta_outgoing_tcancel(state_->orq, nullptr, nullptr, TAG_END()) == nullptr) {
    return base::fail(base::ErrorCode::kConflict, "the stack refused to cancel");
  }
  return {};
}

}  // namespace tollgate::sofia
