// Owning wrappers of the NATS client's handles; the only place that destroys them. Private to libs/bus. One
// thread at a time makes, moves or destroys an object.
#pragma once

#include <memory>
#include <string>

#include <nats/nats.h>

#include "libs/base/result.hpp"

namespace tollgate::bus {

template <class Handle, void (*kDestroy)(Handle*)>
struct NatsDeleter {
  void operator()(Handle* handle) const noexcept { kDestroy(handle); }
};

template <class Handle, void (*kDestroy)(Handle*)>
using NatsOwned = std::unique_ptr<Handle, NatsDeleter<Handle, kDestroy>>;

using NatsOptions = NatsOwned<natsOptions, natsOptions_Destroy>;
using NatsConnection = NatsOwned<natsConnection, natsConnection_Destroy>;
using NatsSubscription = NatsOwned<natsSubscription, natsSubscription_Destroy>;
// Small messages wait, some per thread, and are freed together: message_bin.cpp says why. Any thread.
void destroyLater(natsMsg* message) noexcept;

using NatsMessage = NatsOwned<natsMsg, destroyLater>;
using JetStream = NatsOwned<jsCtx, jsCtx_Destroy>;
using JetStreamInfo = NatsOwned<jsStreamInfo, jsStreamInfo_Destroy>;
using JetConsumerInfo = NatsOwned<jsConsumerInfo, jsConsumerInfo_Destroy>;

[[nodiscard]] inline base::Error natsError(natsStatus status, const std::string& what) {
  base::ErrorCode code = base::ErrorCode::kInternal;
  switch (status) {
    case NATS_TIMEOUT:
      code = base::ErrorCode::kTimeout;
      break;
    case NATS_INSUFFICIENT_BUFFER:
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NOT_YET_CONNECTED:
    case NATS_NO_SERVER:
    case NATS_NO_RESPONDERS:
    case NATS_IO_ERROR:
    case NATS_DRAINING:
    case NATS_CONNECTION_AUTH_FAILED:
      code = base::ErrorCode::kUnavailable;
      break;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
    case NATS_ADDRESS_MISSING:
    case NATS_SSL_ERROR:
      code = base::ErrorCode::kInvalid;
      break;
    case NATS_MAX_PAYLOAD:
      code = base::ErrorCode::kOverLimit;
      break;
    case NATS_NOT_FOUND:
      code = base::ErrorCode::kNotFound;
      break;
    default:
      break;
  }
  return {code, what + ": " + natsStatus_GetText(status)};
}

}  // namespace tollgate::bus
