#include "services/billing/admission/hunt.hpp"

#include <algorithm>
#include <numeric>

#include "libs/base/limits.hpp"
#include "services/billing/accounts/keys.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

std::string nameOf(const TrunkView& trunk) {
  return "trunk " + std::to_string(trunk.id.value()) + " " + trunk.name;
}

}  // namespace

std::string usageText(std::int64_t used, const std::optional<std::int64_t>& limit) {
  return std::to_string(used) + (limit ? " of " + std::to_string(*limit) : " (no limit)");
}

void Hunt::run(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order,
               std::function<void(base::CustomerId)> on_missing, Done done) {
  const std::shared_ptr<Hunt> hunt(new Hunt(store, std::move(snapshot), std::move(order), std::move(on_missing), std::move(done)));
  if (hunt->order_.replay) {
    hunt->findHeld(0);
  } else {
    hunt->orderByLoad(0);
  }
}

Hunt::Hunt(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order, std::function<void(base::CustomerId)> on_missing,
           Done done)
    : store_(store), snapshot_(std::move(snapshot)), order_(std::move(order)), on_missing_(std::move(on_missing)), done_(std::move(done)) {
  if (order_.candidates.size() > base::limits::kCandidatesMax) {
    order_.candidates.resize(base::limits::kCandidatesMax);
  }
  order_.by_load = std::min(order_.by_load, order_.candidates.size());
  sequence_.resize(order_.candidates.size());
  std::iota(sequence_.begin(), sequence_.end(), std::size_t{0});
}

const TrunkView* Hunt::trunkAt(std::size_t index) const {
  return snapshot_->trunks.find(base::TrunkId(order_.candidates[index].trunk_id()));
}

// A repeated request gets the slot that it already has, not a second one of an earlier candidate whose slot has become free.
void Hunt::findHeld(std::size_t position) {
  if (position == order_.candidates.size()) {
    orderByLoad(0);
    return;
  }
  const TrunkView* trunk = trunkAt(position);
  if (trunk == nullptr) {
    findHeld(position + 1);
    return;
  }
  store_.usesSlot(order_.call, trunk->customer, trunk->id, [self = shared_from_this(), position, trunk](base::Result<bool> held) {
    if (!held) {
      self->fail(std::move(held.error()));
    } else if (*held) {
      self->choose(position, *trunk, 0);
    } else {
      self->findHeld(position + 1);
    }
  });
}

void Hunt::orderByLoad(std::size_t position) {
  if (position == order_.by_load) {
    sortByLoad();
    tryNext();
    return;
  }
  const TrunkView* trunk = trunkAt(position);
  if (trunk == nullptr) {
    loads_.push_back(0);
    orderByLoad(position + 1);
    return;
  }
  store_.count(keys::outgoing(trunk->customer, trunk->id), [self = shared_from_this(), position](base::Result<std::int64_t> load) {
    if (!load) {
      self->fail(std::move(load.error()));
      return;
    }
    self->loads_.push_back(*load);
    self->orderByLoad(position + 1);
  });
}

void Hunt::sortByLoad() {
  const auto end = sequence_.begin() + static_cast<std::ptrdiff_t>(order_.by_load);
  std::stable_sort(sequence_.begin(), end, [this](std::size_t left, std::size_t right) {
    if (loads_[left] != loads_[right]) {
      return loads_[left] < loads_[right];
    }
    return order_.candidates[left].weight() > order_.candidates[right].weight();
  });
}

void Hunt::tryNext() {
  while (next_ != sequence_.size()) {
    const std::size_t index = sequence_[next_++];
    const TrunkView* trunk = trunkAt(index);
    if (!isUsable(index, trunk)) {
      continue;
    }
    store_.occupy(order_.call, trunk->customer, trunk->id, trunk->outgoing_max, trunk->outgoing_cps_max, order_.dry_run,
                  [self = shared_from_this(), index, trunk](base::Result<OccupyOutcome> outcome) {
                    self->onOccupyReply(index, *trunk, std::move(outcome));
                  });
    return;
  }
  finish();
}

bool Hunt::isUsable(std::size_t index, const TrunkView* trunk) {
  if (trunk == nullptr) {
    skip(index, base::Reason::kNoTargetAvailable,
         "trunk " + std::to_string(order_.candidates[index].trunk_id()) + " is not in the configuration");
    return false;
  }
  if (!trunk->enabled) {
    skip(index, base::Reason::kTrunkDisabled, nameOf(*trunk) + " is disabled");
    return false;
  }
  if (trunk->outgoing_max == 0) {
    skip(index, base::Reason::kConcurrentLimit, nameOf(*trunk) + ": outgoing calls are off (limit 0)");
    return false;
  }
  return true;
}

void Hunt::onOccupyReply(std::size_t index, const TrunkView& trunk, base::Result<OccupyOutcome> outcome) {
  if (!outcome) {
    // The step may have been executed, or will be when Redis comes to it. Commands are executed in their order, so this one comes after it.
    if (!order_.dry_run) {
      store_.vacate(order_.call, trunk.customer, trunk.id);
    }
    fail(std::move(outcome.error()));
    return;
  }
  switch (outcome->status) {
    case OccupyStatus::kMissing:
      on_missing_(trunk.customer);
      fail({base::ErrorCode::kUnavailable, "the account of carrier " + std::to_string(trunk.customer.value()) + " is being rebuilt"});
      return;
    case OccupyStatus::kNoSlot:
      skip(index, base::Reason::kConcurrentLimit,
           nameOf(trunk) + ": " + usageText(outcome->slots_in_use, trunk.outgoing_max) + " outgoing calls in use");
      break;
    case OccupyStatus::kCpsLimit:
      skip(index, base::Reason::kCpsLimit,
           nameOf(trunk) + ": " + usageText(outcome->calls_this_second, trunk.outgoing_cps_max) + " outgoing calls this second");
      break;
    case OccupyStatus::kTaken:
    case OccupyStatus::kReplay:
      outcome_.taken = outcome->status == OccupyStatus::kTaken && !order_.dry_run;
      choose(index, trunk, outcome->slots_in_use);
      return;
  }
  tryNext();
}

void Hunt::choose(std::size_t index, const TrunkView& trunk, std::int64_t slots_in_use) {
  v1::Occupied occupied;
  occupied.set_index(static_cast<std::uint32_t>(index));
  std::string found = nameOf(trunk) + ": " + usageText(slots_in_use, trunk.outgoing_max) + " outgoing calls in use";
  if (const auto rate =
          trunk.vendor_rate_plan.isSet() ? snapshot_->rates.find(trunk.vendor_rate_plan, order_.called, order_.start) : std::nullopt) {
    *occupied.mutable_vendor_rate() = wire::toWire(*rate);
    found += ", costs " + describe(*rate);
  }
  outcome_.trace.push_back(traceStep("candidate", std::move(found), true));
  outcome_.occupied = std::move(occupied);
  outcome_.trunk = trunk.id;
  finish();
}

void Hunt::skip(std::size_t index, base::Reason reason, std::string detail) {
  outcome_.trace.push_back(traceStep("candidate", detail, false));
  v1::Skipped skipped;
  skipped.set_index(static_cast<std::uint32_t>(index));
  skipped.set_reason(static_cast<common::v1::Reason>(reason));
  skipped.set_detail(std::move(detail));
  outcome_.skipped.push_back(std::move(skipped));
}

void Hunt::finish() {
  if (outcome_.occupied) {
    for (const v1::Skipped& skipped : outcome_.skipped) {
      *outcome_.occupied->add_skipped() = skipped;
    }
  }
  done_(std::move(outcome_));
}

void Hunt::fail(base::Error error) {
  done_(tl::unexpected(std::move(error)));
}

}  // namespace tollgate::billing
