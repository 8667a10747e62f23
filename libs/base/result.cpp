#include "libs/base/result.hpp"

namespace tollgate::base {

std::string_view errorCodeName(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kOverLimit:
      return "over_limit";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace tollgate::base
