// Finds the first candidate carrier trunk with a free slot and takes its slot (REQUIREMENTS 5.1): shared by reserve and occupy. Starts on a
// bus thread, goes on on the Redis thread; one hunt is never touched by two threads at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/reason.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/snapshot.hpp"
#include "tollgate/billing/v1/billing.pb.h"

namespace tollgate::billing {

struct HuntOrder {
  std::string call;
  std::string called;
  base::WallTime start;
  std::vector<v1::CandidateTrunk> candidates;
  std::size_t by_load = 0;  // so many of the first are taken least loaded first, ties by higher weight (REQUIREMENTS 3.6)
  bool replay = false;      // the call may hold a slot of one of them already: look for that first
  bool dry_run = false;     // decide, take nothing
};

struct HuntOutcome {
  // Nothing = every candidate was passed over.
  std::optional<v1::Occupied> occupied;
  std::vector<v1::Skipped> skipped;
  base::TrunkId trunk;  // the occupied one
  std::vector<common::v1::TraceStep> trace;
};

class Hunt : public std::enable_shared_from_this<Hunt> {
 public:
  // Called once. An Error: it could not be found out; no slot is held, or one that its lease ends.
  using Done = std::function<void(base::Result<HuntOutcome>)>;
  // `on_missing` hears of a carrier whose account is not in Redis.
  static void run(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order,
                  std::function<void(base::CustomerId)> on_missing, Done done);

 private:
  Hunt(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order, std::function<void(base::CustomerId)> on_missing,
       Done done);
  void orderByLoad(std::size_t position);
  void sortByLoad();
  void findHeld(std::size_t position);
  void tryNext();
  // Why the candidate cannot be asked at all.
  [[nodiscard]] bool check(std::size_t index, const TrunkView* trunk);
  void onOccupied(std::size_t index, const TrunkView& trunk, base::Result<OccupyOutcome> outcome);
  void inspectTrunk(std::size_t index, const TrunkView& trunk);
  void take(std::size_t index, const TrunkView& trunk, std::int64_t slots_in_use);
  void skip(std::size_t index, base::Reason reason, std::string detail);
  void finish();
  void fail(base::Error error);
  [[nodiscard]] const TrunkView* trunkAt(std::size_t index) const;

  // Passed in.
  CreditStore& store_;
  const std::shared_ptr<const Snapshot> snapshot_;  // shared with the request
  HuntOrder order_;
  std::function<void(base::CustomerId)> on_missing_;
  Done done_;
  // Derived.
  std::vector<std::size_t> sequence_;  // indexes into the candidates, in the order to try
  std::vector<std::int64_t> loads_;    // of the first by_load candidates
  std::size_t next_ = 0;
  HuntOutcome outcome_;
};

}  // namespace tollgate::billing
