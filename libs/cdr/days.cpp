#include "libs/cdr/days.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "libs/base/ids.hpp"
#include "libs/base/random.hpp"

namespace tollgate::cdr {

namespace {

class ZeroRandom final : public base::Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return 0; }
};

}  // namespace

std::string firstIdOf(base::WallTime time) {
  ZeroRandom zero;
  const auto since_epoch = std::max(time, base::WallTime{}).time_since_epoch();
  return base::CallId::make(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count(), zero).text();
}

Day dayOf(base::WallTime now, int days) {
  const auto day = std::chrono::floor<std::chrono::days>(now) + std::chrono::days(days);
  const std::chrono::year_month_day date(day);
  char name[32];
  std::snprintf(name, sizeof name, "p%04d%02u%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()));
  return {name, firstIdOf(base::WallTime(day + std::chrono::days(1)))};
}

}  // namespace tollgate::cdr
