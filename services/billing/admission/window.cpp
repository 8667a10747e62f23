#include "services/billing/admission/window.hpp"

#include <algorithm>

namespace tollgate::billing {

using std::chrono::seconds;

std::int64_t costOf(const money::Rate& rate, seconds time) {
  return time > seconds(0) ? money::charge(rate, time) : 0;
}

HoldWindow holdWindow(const Settings& settings, const money::Rate& rate, seconds confirmed, seconds wanted, seconds promised) {
  constexpr std::int64_t kPpmPerPercent = 10'000;
  const auto longest = std::chrono::ceil<seconds>(settings.outage_window + settings.quantum);
  const seconds generous = settings.outage_window.count() == 0 ? wanted : std::max(wanted, confirmed + longest);
  // A hold of nothing, for a free rate, need not wait for the year that it pays.
  const auto lasts = [&](seconds total) {
    const auto left = total - confirmed;
    return std::max(seconds(0), costOf(rate, total) == 0 ? std::min(left, longest) : left) + settings.hold_grace;
  };
  return {costOf(rate, wanted), costOf(rate, generous), settings.window_share_percent * kPpmPerPercent, lasts(std::max(wanted, promised)),
          lasts(std::max(generous, promised))};
}

}  // namespace tollgate::billing
