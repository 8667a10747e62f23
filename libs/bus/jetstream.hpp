// The JetStream context of a connection and the errors of its API. Private to libs/bus. Any thread that may block.
#pragma once

#include <string>

#include "libs/bus/connection_state.hpp"

namespace tollgate::bus {

inline constexpr std::int64_t kJetStreamWaitMs = 5000;

[[nodiscard]] inline base::Error jetStreamError(natsStatus status, jsErrCode code, const std::string& what) {
  base::Error error = natsError(status, what);
  if (code != 0) {
    error.message += " (JetStream error " + std::to_string(static_cast<int>(code)) + ")";
  }
  if (code == JSNotEnabledErr || code == JSNotEnabledForAccountErr || code == JSClusterNotAvailErr || code == JSInsufficientResourcesErr) {
    error.code = base::ErrorCode::kUnavailable;
  } else if (code == JSNoMessageFoundErr || code == JSStreamNotFoundErr || code == JSConsumerNotFoundErr) {
    error.code = base::ErrorCode::kNotFound;
  }
  return error;
}

// Calls use(context) -> Result<void>. Blocks as long as it does.
template <class Use>
[[nodiscard]] base::Result<void> withJetStream(const Connection::State& connection, Use use) {
  if (!connection.connected) {
    return base::fail(base::ErrorCode::kUnavailable, "not connected to the bus");
  }
  base::Result<void> result;
  TG_TRY(connection.withHandle("JetStream", [&](natsConnection* nc) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = kJetStreamWaitMs;
    jsCtx* raw = nullptr;
    const natsStatus status = natsConnection_JetStream(&raw, nc, &options);
    const JetStream context(raw);
    if (status == NATS_OK) {
      result = use(raw);
    }
    return status;
  }));
  return result;
}

}  // namespace tollgate::bus
