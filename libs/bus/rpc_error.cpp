#include "libs/bus/rpc_error.hpp"

namespace tollgate::bus {

base::Error fromWire(const bus::v1::RpcError& error) {
  switch (error.code()) {
    case v1::RPC_ERROR_CODE_UNAVAILABLE:
      return {base::ErrorCode::kUnavailable, error.message()};
    case v1::RPC_ERROR_CODE_TIMEOUT:
      return {base::ErrorCode::kTimeout, error.message()};
    case v1::RPC_ERROR_CODE_INVALID:
      return {base::ErrorCode::kInvalid, error.message()};
    case v1::RPC_ERROR_CODE_CONFLICT:
      return {base::ErrorCode::kConflict, error.message()};
    case v1::RPC_ERROR_CODE_NOT_FOUND:
      return {base::ErrorCode::kNotFound, error.message()};
    case v1::RPC_ERROR_CODE_OVER_LIMIT:
      return {base::ErrorCode::kOverLimit, error.message()};
    default:
      return {base::ErrorCode::kInternal, error.message()};
  }
}

void toWire(const base::Error& error, bus::v1::RpcError& wire) {
  const auto code = [&] {
    switch (error.code) {
      case base::ErrorCode::kUnavailable:
        return v1::RPC_ERROR_CODE_UNAVAILABLE;
      case base::ErrorCode::kTimeout:
        return v1::RPC_ERROR_CODE_TIMEOUT;
      case base::ErrorCode::kInvalid:
        return v1::RPC_ERROR_CODE_INVALID;
      case base::ErrorCode::kConflict:
        return v1::RPC_ERROR_CODE_CONFLICT;
      case base::ErrorCode::kNotFound:
        return v1::RPC_ERROR_CODE_NOT_FOUND;
      case base::ErrorCode::kOverLimit:
        return v1::RPC_ERROR_CODE_OVER_LIMIT;
      case base::ErrorCode::kInternal:
        break;
    }
    return v1::RPC_ERROR_CODE_INTERNAL;
  }();
  wire.set_code(code);
  wire.set_message(error.message);
}

}  // namespace tollgate::bus
