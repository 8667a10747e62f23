// Finds the first candidate carrier trunk with a free slot and takes the slot (REQUIREMENTS 5.1). Reserve and Occupy use it.
//
// Threads: starts on a bus thread and continues on the Redis thread, never on both at the same time. Owns: a hunt owns itself until `done`
// was called; the callbacks that are under way share it.
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
  std::size_t by_load = 0;  // this many at the beginning are sorted: least loaded first, then higher weight (REQUIREMENTS 3.6)
  bool replay = false;      // a repeated request: if the call holds a slot of a candidate, that candidate is the answer
  bool dry_run = false;     // decide without taking a slot
};

struct HuntOutcome {
  std::optional<v1::Occupied> occupied;  // nullopt = every candidate was skipped
  std::vector<v1::Skipped> skipped;
  base::TrunkId trunk;  // the occupied one
  bool taken = false;   // the hunt took its slot; false in a dry run, and when the call had it before
  std::vector<common::v1::TraceStep> trace;
};

// "3 of 10" or "3 (no limit)", for trace texts.
[[nodiscard]] std::string usageText(std::int64_t used, const std::optional<std::int64_t>& limit);

class Hunt : public std::enable_shared_from_this<Hunt> {
 public:
  // Called exactly once. Error: it could not be decided; a slot that may have been taken is given back.
  using Done = std::function<void(base::Result<HuntOutcome>)>;
  // `on_missing` is called with a carrier whose account is not in Redis.
  static void run(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order,
                  std::function<void(base::CustomerId)> on_missing, Done done);

 private:
  Hunt(CreditStore& store, std::shared_ptr<const Snapshot> snapshot, HuntOrder order, std::function<void(base::CustomerId)> on_missing,
       Done done);
  void orderByLoad(std::size_t position);
  void sortByLoad();
  void findHeld(std::size_t position);
  void tryNext();
  // False: the candidate is skipped without asking Redis.
  [[nodiscard]] bool isUsable(std::size_t index, const TrunkView* trunk);
  void onOccupyReply(std::size_t index, const TrunkView& trunk, base::Result<OccupyOutcome> outcome);
  void choose(std::size_t index, const TrunkView& trunk, std::int64_t slots_in_use);
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
