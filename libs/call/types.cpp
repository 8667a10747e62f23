#include "libs/call/types.hpp"

#include <array>
#include <string_view>

namespace tollgate::call {

std::string_view attemptEndWord(AttemptEnd end) noexcept {
  static constexpr std::array<std::string_view, base::enumSize(kLastAttemptEnd)> kWords = {
      "running", "answered", "rejected", "no_response", "transport_error", "ringing_timeout", "cancelled", "skipped"};
  return kWords[static_cast<std::size_t>(end)];
}

std::string_view phaseWord(Phase phase) noexcept {
  static constexpr std::array<std::string_view, base::enumSize(kLastPhase)> kWords = {
      "new", "identifying", "routing", "reserving", "hunting", "ringing", "talking", "ending", "over"};
  return kWords[static_cast<std::size_t>(phase)];
}

std::string_view decisionWord(Decision decision) noexcept {
  static constexpr std::array<std::string_view, base::enumSize(kLastDecision)> kWords = {"authorize", "route", "reserve", "occupy",
                                                                                         "extend"};
  return kWords[static_cast<std::size_t>(decision)];
}

std::string_view stageOf(Decision decision) noexcept {
  static constexpr std::array<std::string_view, base::enumSize(kLastDecision)> kWords = {"auth", "routing", "billing", "billing",
                                                                                         "billing"};
  return kWords[static_cast<std::size_t>(decision)];
}

}  // namespace tollgate::call
