// Parts of bus messages as JSON. Any thread.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>
#include <google/protobuf/timestamp.pb.h>

#include "services/admin_api/api/field.hpp"
#include "tollgate/common/v1/common.pb.h"

namespace tollgate::admin_api {

[[nodiscard]] Json timeJson(const google::protobuf::Timestamp& time);
[[nodiscard]] Json rateJson(const common::v1::Rate& rate);
[[nodiscard]] Json traceJson(const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& trace);

}  // namespace tollgate::admin_api
