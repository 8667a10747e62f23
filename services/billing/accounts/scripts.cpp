#include "services/billing/accounts/scripts.hpp"

#include "services/billing/accounts/scripts_text.hpp"

namespace tollgate::billing {

Scripts::Scripts()
    : reserve("reserve", scripts_text::kReserve),
      occupy("occupy", scripts_text::kOccupy),
      extend("extend", scripts_text::kExtend),
      touch("touch", scripts_text::kTouch),
      count("count", scripts_text::kCount),
      answered("answered", scripts_text::kAnswered),
      release("release", scripts_text::kRelease),
      settle("settle", scripts_text::kSettle),
      expire("expire", scripts_text::kExpire),
      load_account("load_account", scripts_text::kLoadAccount),
      read_account("read_account", scripts_text::kReadAccount),
      audit("audit", scripts_text::kAudit) {}

std::vector<redis::Script> Scripts::all() const {
  return {reserve, occupy, extend, touch, count, answered, release, settle, expire, load_account, read_account, audit};
}

}  // namespace tollgate::billing
