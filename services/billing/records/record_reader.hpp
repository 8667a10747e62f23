// Reads the records of the stream by their subject. Pure functions: any thread.
#pragma once

#include <optional>
#include <string_view>

#include "libs/bus/records.hpp"
#include "libs/cdr/columns.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

// The verb of tg.evt.call.v1.<verb>.<trunk>; empty for another subject.
[[nodiscard]] std::string_view verbOf(std::string_view subject);

// Nothing when the record has another verb or cannot be read.
[[nodiscard]] std::optional<cdr::FinishedCall> readFinished(const bus::Record& record);  // ended, rejected
[[nodiscard]] std::optional<call::v1::CallAnswered> readAnswered(const bus::Record& record);
[[nodiscard]] std::optional<call::v1::UnknownSources> readUnknownSources(const bus::Record& record);

}  // namespace tollgate::billing
