// Every subject of the bus is built here (ARCHITECTURE "The bus"). Tokens are ids we made, never numbers dialled or addresses.
// Pure functions: any thread.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/ids.hpp"

namespace tollgate::bus::subjects {

// tg.rpc.<service>.v1.<verb>
[[nodiscard]] std::string rpc(std::string_view service, std::string_view verb);

// tg.evt.call.v1.<past verb>.<trunk id>; trunk 0 when the caller was not identified.
[[nodiscard]] std::string callEvent(std::string_view past_verb, base::TrunkId trunk);

// tg.evt.config.v1.changed.<entity>
[[nodiscard]] std::string configChanged(std::string_view entity);

// tg.evt.credit.v1.<low|exhausted>.<customer id>
[[nodiscard]] std::string creditEvent(std::string_view past_verb, base::CustomerId customer);

// tg.ctl.<service>.v1.<verb>
[[nodiscard]] std::string control(std::string_view service, std::string_view verb);

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
