// base::Error <-> tollgate.bus.v1.RpcError. Private to libs/bus.
#pragma once

#include "libs/base/result.hpp"
#include "tollgate/bus/v1/rpc.pb.h"

namespace tollgate::bus {

[[nodiscard]] base::Error fromWire(const bus::v1::RpcError& error);
void toWire(const base::Error& error, bus::v1::RpcError& wire);

}  // namespace tollgate::bus
