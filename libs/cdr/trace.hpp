// The decision trace of a call as the table cdr_traces keeps it (REQUIREMENTS 10.3): the steps in a compact binary form, compressed against
// a dictionary of the sentences that traces consist of. Every service that writes or reads the column does it here. Pure: any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "libs/base/decision.hpp"
#include "libs/base/result.hpp"
#include "tollgate/common/v1/common.pb.h"

namespace tollgate::cdr {

// What is not valid UTF-8 in a text, and NUL, is replaced by '?'.
[[nodiscard]] std::string packTrace(const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& steps);

// Reads what packTrace() wrote, and the JSON that the column held before (a list of {"stage", "check", "found", "passed"}).
// Errors: kInvalid, it is neither.
[[nodiscard]] base::Result<std::vector<base::TraceStep>> unpackTrace(std::string_view stored);

}  // namespace tollgate::cdr
