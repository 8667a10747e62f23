// Ids as types of their own, so that a trunk is never taken for a customer. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libs/base/random.hpp"

namespace tollgate::base {

// An integer id made by MySQL or the API caller; 0 means none.
template <class Tag>
class IntegerId {
 public:
  constexpr IntegerId() = default;
  constexpr explicit IntegerId(std::int64_t value) : value_(value) {}
  [[nodiscard]] constexpr std::int64_t value() const { return value_; }
  [[nodiscard]] constexpr bool isSet() const { return value_ != 0; }
  friend constexpr auto operator<=>(IntegerId, IntegerId) = default;

 private:
  std::int64_t value_ = 0;
};

using CustomerId = IntegerId<struct CustomerTag>;
using TrunkId = IntegerId<struct TrunkTag>;
using SourceRowId = IntegerId<struct SourceRowTag>;
using EndpointId = IntegerId<struct EndpointTag>;
using RuleId = IntegerId<struct RuleTag>;
using DialpeerId = IntegerId<struct DialpeerTag>;
using RatePlanId = IntegerId<struct RatePlanTag>;
using RateId = IntegerId<struct RateTag>;

// The id of one call, made by the ingress at the INVITE: 26 characters of Crockford base32 (48 bits of wall milliseconds, 80 random
// bits), so ids sort by time, fit a bus token and a Redis key, and show nothing of the SIP Call-ID.
class CallId {
 public:
  static constexpr std::size_t kLength = 26;
  CallId() = default;
  [[nodiscard]] static CallId make(std::int64_t wall_milliseconds, Random& random);
  // Empty CallId when the text is not one.
  [[nodiscard]] static CallId parse(std::string_view text);
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool isSet() const { return !text_.empty(); }
  friend auto operator<=>(const CallId&, const CallId&) = default;

 private:
  explicit CallId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace tollgate::base

template <class Tag>
struct std::hash<tollgate::base::IntegerId<Tag>> {
  std::size_t operator()(tollgate::base::IntegerId<Tag> id) const noexcept { return std::hash<std::int64_t>{}(id.value()); }
};

template <>
struct std::hash<tollgate::base::CallId> {
  std::size_t operator()(const tollgate::base::CallId& id) const noexcept { return std::hash<std::string>{}(id.text()); }
};
