// What an API operation returns: a value, or why it was refused, in the words of a problem document (RFC 9457). Values, any thread.
#pragma once

#include <map>
#include <string>

#include <tl/expected.hpp>

#include "libs/base/result.hpp"
#include "libs/http/server.hpp"

namespace tollgate::admin_api {

struct Refused {
  int status = 422;
  std::string title;
  std::string detail;
  std::string field;  // sources[1].network; empty when no field is to blame
  std::string rule;   // number in REQUIREMENTS.md; empty when none
  std::map<std::string, std::string> headers;
};

template <class T>
using Outcome = tl::expected<T, Refused>;

[[nodiscard]] tl::unexpected<Refused> refuse(int status, std::string detail, std::string field = {}, std::string rule = {});
// A value that breaks a rule: 422.
[[nodiscard]] tl::unexpected<Refused> invalid(std::string field, std::string rule, std::string detail);
// The change does not fit what is stored: 409.
[[nodiscard]] tl::unexpected<Refused> conflict(std::string field, std::string rule, std::string detail);
[[nodiscard]] tl::unexpected<Refused> notFound(std::string detail);

// What a store or the bus could not do. Away or slow: 503 with Retry-After; our own fault: 500, whose detail stays in the log.
[[nodiscard]] Refused asRefused(const base::Error& error);
[[nodiscard]] inline Refused asRefused(Refused refused) {
  return refused;
}

[[nodiscard]] http::Response toResponse(const Refused& refused);
[[nodiscard]] std::string statusTitle(int status);

}  // namespace tollgate::admin_api

// Returns the refusal of an Outcome<void> expression to the caller; the Error of a Result<void> becomes a refusal.
#define TG_PASS(expression)                                                                          \
  do {                                                                                               \
    if (auto tg_pass_outcome = (expression); !tg_pass_outcome) {                                     \
      return ::tl::unexpected(::tollgate::admin_api::asRefused(std::move(tg_pass_outcome.error()))); \
    }                                                                                                \
  } while (false)

// Declares `name` with the value of an Outcome<T> or Result<T> expression, or returns its refusal.
#define TG_PASS_ASSIGN(name, expression)                                                          \
  auto name##_outcome = (expression);                                                             \
  if (!name##_outcome) {                                                                          \
    return ::tl::unexpected(::tollgate::admin_api::asRefused(std::move(name##_outcome.error()))); \
  }                                                                                               \
  auto name = std::move(*name##_outcome)
