// The subjects of events are built here; those of RPCs and control requests come from the `service` of a .proto (proto/rpc_generator.cpp).
// Tokens are ids we made, never numbers dialled or addresses (ARCHITECTURE "The bus").
// Pure functions: any thread.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/ids.hpp"

namespace tollgate::bus::subjects {

// tg.evt.call.v1.<past verb>.<trunk id>; trunk 0 when the caller was not identified.
[[nodiscard]] std::string callEvent(std::string_view past_verb, base::TrunkId trunk);

// tg.evt.config.v1.changed.<entity>
[[nodiscard]] std::string configChanged(std::string_view entity);

// tg.evt.credit.v1.<low|exhausted>.<customer id>
[[nodiscard]] std::string creditEvent(std::string_view past_verb, base::CustomerId customer);

// tg.evt.ingress.v1.alive.<instance>
[[nodiscard]] std::string instanceAlive(std::string_view instance);
inline constexpr std::string_view kAllInstances = "tg.evt.ingress.v1.alive.*";

// tg.deliver.<durable>: where the stream CALL_EVENTS pushes what a durable consumer has to read.
[[nodiscard]] std::string deliver(std::string_view durable);

inline constexpr std::string_view kAllCallEvents = "tg.evt.call.v1.>";
inline constexpr std::string_view kAllConfigChanges = "tg.evt.config.v1.changed.*";
inline constexpr std::string_view kAllEvents = "tg.evt.>";
inline constexpr std::string_view kRecordStream = "CALL_EVENTS";
// What the stream CALL_EVENTS stores.
inline constexpr std::string_view kRecordSubjects[] = {"tg.evt.call.v1.answered.*", "tg.evt.call.v1.ended.*", "tg.evt.call.v1.rejected.*",
                                                       "tg.evt.call.v1.unknown_sources.*"};

}  // namespace tollgate::bus::subjects
