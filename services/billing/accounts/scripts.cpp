#include "services/billing/accounts/scripts.hpp"

#include "services/billing/accounts/scripts_text.hpp"

namespace tollgate::billing {

Scripts::Scripts()
    : reserve(scripts_text::kReserve),
      occupy(scripts_text::kOccupy),
      extend(scripts_text::kExtend),
      renew_slot(scripts_text::kRenewSlot),
      count(scripts_text::kCount),
      answered(scripts_text::kAnswered),
      release(scripts_text::kRelease),
      settle(scripts_text::kSettle),
      expire(scripts_text::kExpire),
      load_account(scripts_text::kLoadAccount),
      read_account(scripts_text::kReadAccount),
      audit(scripts_text::kAudit) {}

std::vector<redis::Script> Scripts::all() const {
  return {reserve, occupy, extend, renew_slot, count, answered, release, settle, expire, load_account, read_account, audit};
}

}  // namespace tollgate::billing
