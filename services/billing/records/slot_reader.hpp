// The reader of the record stream that gives capacity back, the consumer `slots`: it frees the slots of an ended call, reduces its hold to
// the charge, and keeps the record call.answered in the hold, from which the CDR is made if the instance of the call is lost. It needs
// Redis only, so slots and holds come back as soon as a record arrives, also while MySQL is away for an hour. A record is acknowledged when
// Redis has what it says; until then the stream delivers it again. Every step may be repeated, in any order.
//
// Threads: accept() on a bus thread; outcomes arrive on the Redis thread. Owns nothing.
#pragma once

#include <vector>

#include "libs/bus/records.hpp"
#include "libs/cdr/columns.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/tables.hpp"

namespace tollgate::billing {

// The slots of the carriers that the call used, and of a reserve or occupy whose outcome the ingress does not know.
[[nodiscard]] std::vector<ReleaseOrder::CarrierSlot> carrierSlots(const Snapshot& snapshot, const call::v1::CallRecord& record);

class SlotReader {
 public:
  SlotReader(const ConfigTables& tables, CreditStore& store) : tables_(tables), store_(store) {}
  void accept(const bus::Record& record);

 private:
  void free(const bus::Record& record, const cdr::FinishedCall& call);

  // Passed in.
  const ConfigTables& tables_;
  CreditStore& store_;
};

}  // namespace tollgate::billing
