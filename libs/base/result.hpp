// What can fail returns Result<T>. An Error means "could not decide or do it"; a refusal (no credit, no route) is a normal value.
// Any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace tollgate::base {

// Same numbers as tollgate.bus.v1.RpcErrorCode.
enum class ErrorCode {
  kUnavailable = 1,  // the other side cannot be reached now
  kTimeout,          // no answer before the deadline
  kInvalid,          // the input breaks a rule
  kConflict,         // another state than expected: duplicate key, version mismatch
  kNotFound,
  kOverLimit,  // a bound was hit: queue full, body too large
  kInternal,   // our own fault
};
inline constexpr ErrorCode kLastErrorCode = ErrorCode::kInternal;

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // says what to do, for operators
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

[[nodiscard]] std::string_view errorCodeName(ErrorCode code) noexcept;

}  // namespace tollgate::base

// Returns the error of a Result<void> expression to the caller.
#define TG_TRY(expression)                                                                \
  do {                                                                                    \
    if (auto tg_try_result = (expression); !tg_try_result) {                              \
      return ::tl::unexpected<::tollgate::base::Error>(std::move(tg_try_result.error())); \
    }                                                                                     \
  } while (false)

// Declares `name` with the value of a Result<T> expression, or returns its error.
#define TG_TRY_ASSIGN(name, expression)                                                 \
  auto name##_result = (expression);                                                    \
  if (!name##_result) {                                                                 \
    return ::tl::unexpected<::tollgate::base::Error>(std::move(name##_result.error())); \
  }                                                                                     \
  auto name = std::move(*name##_result)
