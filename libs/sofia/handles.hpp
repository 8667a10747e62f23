// One move-only class per Sofia handle, each with the only destroy call. Created by Agent, used and destroyed on the loop thread only, and
// before the Agent. A handle never calls back after it was destroyed. Destroying one inside its own event is allowed.
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

// A request that came in and its replies. Destroyed before a final reply: the other side gets 500. After a final reply to INVITE keep it
// until onAck or onNoAck when you need them (after a 2xx you do); after any other final reply destroy it: retransmissions, and the
// ACK of a failure, are handled without it.
class ServerTransaction {
 public:
  ServerTransaction() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  // Key of onCancel, onAck and onNoAck. Without one those events are not delivered.
  void setKey(Key key);
  [[nodiscard]] Method method() const;
  [[nodiscard]] int status() const;  // of the last reply sent, 0 = none
  // Sends a provisional or the final reply. kConflict after a final one (but a 2xx crossing); kUnavailable when it could not be sent.
  base::Result<void> reply(const Reply& reply);
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<ServerState, ServerStateDeleter> state_;
};

// A dialog. Requests of the other side inside it arrive as onRequest with its key. Destroyed: such requests get 481.
class Leg {
 public:
  Leg() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  void setKey(Key key);
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<LegState, LegStateDeleter> state_;
};

// A request of ours and its responses. Destroyed before the final response: an INVITE is cancelled (CANCEL waits for a 1xx) and finished
// by the stack (a late 2xx is acknowledged and ended with BYE); any other request is still carried to its end. No further events.
class ClientTransaction {
 public:
  ClientTransaction() = default;
  explicit operator bool() const { return static_cast<bool>(state_); }
  void setKey(Key key);
  [[nodiscard]] Method method() const;
  [[nodiscard]] int status() const;  // highest status seen, 0 = none
  // INVITE only. Sent at once or when the first 1xx comes; kConflict after a final response or a second time. The final response (487,
  // or a 2xx that crossed: then ack() it and send BYE) usually follows as onResponse but need not: have a timer, and drop the handle.
  base::Result<void> cancel(const Headers& headers = {});
  void reset() { state_.reset(); }

 private:
  friend class AgentCore;
  friend class Agent;
  std::unique_ptr<ClientState, ClientStateDeleter> state_;
};

}  // namespace tollgate::sofia
