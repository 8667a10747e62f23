// Converts between the shared Protobuf messages and our own types: time, duration, reason, refusal, trace, rate, codecs, transport. Each
// service's wire.hpp converts that service's own messages with these functions. Pure functions; any thread.
//
// An enum on the wire may hold a number that this program does not know. The comment of each fromWire() says what it then returns.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/repeated_field.h>
#include <google/protobuf/timestamp.pb.h>

#include "libs/base/clock.hpp"
#include "libs/base/codec.hpp"
#include "libs/base/decision.hpp"
#include "libs/base/reason.hpp"
#include "libs/base/transport.hpp"
#include "libs/money/rating.hpp"
#include "tollgate/common/v1/common.pb.h"

namespace tollgate::wire {

// Microseconds; what is finer is cut off.
[[nodiscard]] base::WallTime fromWire(const google::protobuf::Timestamp& time);
[[nodiscard]] google::protobuf::Timestamp toWire(base::WallTime time);
[[nodiscard]] std::chrono::microseconds fromWire(const google::protobuf::Duration& duration);
[[nodiscard]] google::protobuf::Duration toWire(std::chrono::microseconds duration);

// kUnspecified for an unknown number.
[[nodiscard]] base::Reason fromWire(common::v1::Reason reason);
[[nodiscard]] common::v1::Reason toWire(base::Reason reason);
// nullopt for an unknown number; kUdp for UNSPECIFIED.
[[nodiscard]] std::optional<base::Transport> fromWire(common::v1::Transport transport);
[[nodiscard]] common::v1::Transport toWire(base::Transport transport);
// Unknown codecs are left out.
[[nodiscard]] base::CodecSet fromWire(const google::protobuf::RepeatedField<int>& codecs);
void addCodecs(base::CodecSet codecs, google::protobuf::RepeatedField<int>& to);

[[nodiscard]] common::v1::Refusal toWire(const base::Refusal& refusal);
[[nodiscard]] common::v1::TraceStep toWire(const base::TraceStep& step);

using TraceField = google::protobuf::RepeatedPtrField<common::v1::TraceStep>;
void addTrace(const std::vector<base::TraceStep>& trace, TraceField& to);
// Moves the texts out of the messages.
[[nodiscard]] std::vector<base::TraceStep> takeTrace(TraceField& from);

// An invalid currency becomes unset.
[[nodiscard]] money::Rate fromWire(const common::v1::Rate& rate);
[[nodiscard]] common::v1::Rate toWire(const money::Rate& rate);

}  // namespace tollgate::wire
