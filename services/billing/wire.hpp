// Between the messages of the bus and the structs of the inside. Pure, any thread.
#pragma once

#include <optional>
#include <string>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "libs/base/clock.hpp"
#include "libs/base/reason.hpp"
#include "libs/money/rating.hpp"
#include "tollgate/common/v1/common.pb.h"

namespace tollgate::billing {

[[nodiscard]] base::WallTime fromWire(const google::protobuf::Timestamp& time);
[[nodiscard]] google::protobuf::Timestamp toWire(base::WallTime time);
[[nodiscard]] std::chrono::microseconds fromWire(const google::protobuf::Duration& duration);
[[nodiscard]] google::protobuf::Duration durationToWire(std::chrono::microseconds duration);

[[nodiscard]] money::Rate fromWire(const common::v1::Rate& rate);
[[nodiscard]] common::v1::Rate toWire(const money::Rate& rate);

[[nodiscard]] common::v1::Refusal refusal(base::Reason reason, std::string detail);
[[nodiscard]] common::v1::TraceStep traceStep(std::string check, std::string found, bool passed);

// "0.050000 USD per minute, fee 0.010000, minimum 30 s, block 6 s"
[[nodiscard]] std::string describe(const money::Rate& rate);

}  // namespace tollgate::billing
