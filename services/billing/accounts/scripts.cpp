#include "services/billing/accounts/scripts.hpp"

#include "services/billing/accounts/scripts_text.hpp"

namespace tollgate::billing {

namespace {

redis::Script withPrelude(const char* text) {
  return redis::Script(std::string(scripts_text::kPrelude) + text);
}

}  // namespace

Scripts::Scripts()
    : reserve(withPrelude(scripts_text::kReserve)),
      occupy(withPrelude(scripts_text::kOccupy)),
      extend(withPrelude(scripts_text::kExtend)),
      renew_slot(withPrelude(scripts_text::kRenewSlot)),
      count(withPrelude(scripts_text::kCount)),
      answered(withPrelude(scripts_text::kAnswered)),
      release(withPrelude(scripts_text::kRelease)),
      settle(withPrelude(scripts_text::kSettle)),
      examine(withPrelude(scripts_text::kExamine)),
      load_account(withPrelude(scripts_text::kLoadAccount)),
      read_account(withPrelude(scripts_text::kReadAccount)),
      audit(withPrelude(scripts_text::kAudit)) {}

std::vector<redis::Script> Scripts::all() const {
  return {reserve, occupy, extend, renew_slot, count, answered, release, settle, examine, load_account, read_account, audit};
}

}  // namespace tollgate::billing
