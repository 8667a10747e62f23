// One move-only class per Sofia handle, each with the only destroy call (STYLE 19). Created by Agent; used and destroyed on the loop thread
// only, and before the Agent. A handle never calls back after it was destroyed. Destroying one inside its own event is allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "libs/base/result.hpp"
#include "libs/sofia/key.hpp"
#include "libs/sofia/messages.hpp"

namespace tollgate::sofia {

class AgentCore;
struct ServerState;
struct LegState;
struct ClientState;

struct ServerStateDeleter {
  void operator()(ServerState* state) const noexcept;
};
struct LegStateDeleter {
  void operator()(LegState* state) const noexcept;
};
struct ClientStateDeleter {
  void operator()(ClientState* state) const noexcept;
};

// A received request and its replies. When it is destroyed before a final reply, the other side gets 500. Keep it after a 2xx to INVITE
// until onAck or onNoAck. Destroy it after any other final reply: the stack handles retransmissions, and the ACK of a failure, without it.
class ServerTransaction {
 public:
  ServerTransaction() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  // Key of onCancel, onAck and onNoAck. Without one those events are not delivered. Requires: the handle is set.
  void setKey(Key key);
  // Sends a provisional or the final reply. Requires: the handle is set.
  // Errors: kConflict after a final reply; kInvalid, kOverLimit for what cannot be written safely; kUnavailable when it cannot be sent.
  base::Result<void> reply(const Reply& reply);
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<ServerState, ServerStateDeleter> state_;
};

// A dialog. Requests of the other side inside it arrive as onRequest with its key; after it is destroyed they get 481.
class Leg {
 public:
  Leg() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<LegState, LegStateDeleter> state_;
};

// An INVITE of ours and its responses. When it is destroyed before the final response, it is cancelled (CANCEL waits for a 1xx) and
// finished by the stack (a late 2xx is acknowledged and ended with BYE), without further events.
class ClientTransaction {
 public:
  ClientTransaction() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  // Sends CANCEL, immediately or when the first 1xx comes (RFC 3261 9.1). The final response usually follows as onResponse: 487, or a 2xx
  // that crossed the CANCEL and needs ack() and BYE. It may never come, so arm a timer and then drop the handle. Requires: the handle is
  // set. Errors: kConflict after a final response or a second time.
  base::Result<void> cancel();
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<ClientState, ClientStateDeleter> state_;
};

}  // namespace tollgate::sofia
