// The one place that includes Sofia-SIP; private to libs/sofia. Its headers take the types of callback contexts from macros, which must be
// the same in every file, so they are defined here before the first include (libs/sofia/TRAPS.md 1.1).
#pragma once

namespace tollgate::sofia {
class AgentCore;
class Inbox;
struct ServerState;
struct LegState;
struct ClientState;
}  // namespace tollgate::sofia

#define NTA_AGENT_MAGIC_T ::tollgate::sofia::AgentCore
#define NTA_LEG_MAGIC_T ::tollgate::sofia::LegState
#define NTA_OUTGOING_MAGIC_T ::tollgate::sofia::ClientState
#define NTA_INCOMING_MAGIC_T ::tollgate::sofia::ServerState
#define SU_WAKEUP_ARG_T ::tollgate::sofia::Inbox

// clang-format off
#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <sofia-sip/url.h>
// clang-format on
