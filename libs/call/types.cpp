#include "libs/call/types.hpp"

#include <array>
#include <string_view>

namespace tollgate::call {

std::string_view attemptEndWord(AttemptEnd end) noexcept {
  static constexpr std::array<std::string_view, 8> kWords = {"running",         "answered",        "rejected",  "no_response",
                                                             "transport_error", "ringing_timeout", "cancelled", "skipped"};
  return kWords[static_cast<std::size_t>(end)];
}

std::string_view phaseWord(Phase phase) noexcept {
  static constexpr std::array<std::string_view, 9> kWords = {"new",     "identifying", "routing", "reserving", "hunting",
                                                             "ringing", "talking",     "ending",  "over"};
  return kWords[static_cast<std::size_t>(phase)];
}

}  // namespace tollgate::call
