// Converts between the messages of the bus and billing's own types. Pure, any thread.
#pragma once

#include <string>

#include "libs/base/reason.hpp"
#include "libs/money/rating.hpp"
#include "libs/wire/wire.hpp"
#include "tollgate/common/v1/common.pb.h"

namespace tollgate::billing {

[[nodiscard]] common::v1::Refusal refusal(base::Reason reason, std::string detail);
[[nodiscard]] common::v1::TraceStep traceStep(std::string check, std::string found, bool passed);

// "0.050000 USD per minute, fee 0.010000, minimum 30 s, block 6 s"
[[nodiscard]] std::string describe(const money::Rate& rate);

}  // namespace tollgate::billing
