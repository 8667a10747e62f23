#include "services/billing/records/slot_reader.hpp"

#include <memory>
#include <set>
#include <string>

#include "services/billing/records/pricing.hpp"
#include "services/billing/records/record_reader.hpp"

namespace tollgate::billing {

std::vector<ReleaseOrder::CarrierSlot> carrierSlots(const Snapshot& snapshot, const call::v1::CallRecord& record) {
  std::set<std::int64_t> carriers(record.asked_trunk_ids().begin(), record.asked_trunk_ids().end());
  carriers.insert(record.carrier_trunk_id());
  for (const call::v1::Attempt& attempt : record.attempts()) {
    if (attempt.skipped() == common::v1::REASON_UNSPECIFIED) {
      carriers.insert(attempt.trunk_id());
    }
  }
  std::vector<ReleaseOrder::CarrierSlot> slots;
  for (const std::int64_t carrier : carriers) {
    if (const TrunkView* trunk = snapshot.trunks.find(base::TrunkId(carrier))) {
      slots.push_back({trunk->customer, trunk->id});
    }
  }
  return slots;
}

void SlotReader::accept(const bus::Record& record) {
  if (const auto answered = readAnswered(record)) {
    const base::CustomerId customer(answered->record().customer_id());
    store_.noteAnswered(answered->header().call_id(), customer, std::string(record.data()), [record](const base::Result<void>& noted) {
      if (noted) {
        record.ack();
      }
    });
  } else if (const auto call = readFinished(record); call && call->record.customer_id() != 0) {
    free(record, *call);
  } else {
    record.ack();  // it has taken nothing; what cannot be read becomes a dead letter by the other reader
  }
}

void SlotReader::free(const bus::Record& record, const cdr::FinishedCall& call) {
  const std::shared_ptr<const Snapshot> snapshot = tables_.current();
  if (!snapshot) {
    return;  // whose slots the carriers' trunks are is not known yet; the record comes again
  }
  ReleaseOrder order;
  order.call = call.header.call_id();
  order.customer = base::CustomerId(call.record.customer_id());
  order.trunk = base::TrunkId(call.record.trunk_id());
  order.carrier_slots = carrierSlots(*snapshot, call.record);
  order.charge_micros = priceOf(call.record).charge_micros;
  store_.release(order, [record](const base::Result<ReleaseStatus>& released) {
    if (released) {
      record.ack();
    }
  });
}

}  // namespace tollgate::billing
