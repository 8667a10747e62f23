#include "services/billing/admission/admission.hpp"

#include "libs/telemetry/log.hpp"
#include "services/billing/wire.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

namespace {

std::string roomText(std::int64_t used, const std::optional<std::int64_t>& limit) {
  return std::to_string(used) + (limit ? " of " + std::to_string(*limit) : " (no limit)");
}

// What would be known of the call should its instance be lost before it is answered.
std::string firstRecord(const std::string& call, const v1::ReserveRequest& request, const money::Rate& rate) {
  call::v1::CallAnswered answered;
  answered.mutable_header()->set_call_id(call);
  answered.mutable_header()->set_instance(request.instance());
  call::v1::CallRecord& record = *answered.mutable_record();
  *record.mutable_setup_at() = request.start();
  record.set_customer_id(request.customer_id());
  record.set_trunk_id(request.trunk_id());
  record.set_caller_in(request.caller());
  record.set_called_rated(request.called());
  *record.mutable_rate() = toWire(rate);
  return answered.SerializeAsString();
}

bool isTooLate(const bus::RpcContext& context) {
  return std::chrono::system_clock::now() > context.deadline;
}

// One Reserve on its way through the checks.
class Reservation : public std::enable_shared_from_this<Reservation> {
 public:
  Reservation(const AdmissionParts& parts, bus::RpcContext context, const v1::ReserveRequest& request,
              bus::Responder<v1::ReserveReply> responder)
      : parts_(parts), context_(std::move(context)), request_(request), responder_(std::move(responder)) {}

  void start() {
    snapshot_ = parts_.snapshots.get();
    if (!snapshot_) {
      fail({base::ErrorCode::kUnavailable, "no configuration yet"});
      return;
    }
    customer_ = snapshot_->customers.find(base::CustomerId(request_.customer_id()));
    trunk_ = snapshot_->trunks.find(base::TrunkId(request_.trunk_id()));
    if (customer_ == nullptr || trunk_ == nullptr || trunk_->customer != customer_->id) {
      fail({base::ErrorCode::kNotFound, "customer " + std::to_string(request_.customer_id()) + " with trunk " +
                                            std::to_string(request_.trunk_id()) + " is not in the configuration"});
      return;
    }
    if (!findRate()) {
      return;
    }
    if (trunk_->incoming_max == 0) {
      refuse(base::Reason::kConcurrentLimit, "incoming_slot", "incoming calls are off (limit 0)");
      return;
    }
    if (request_.dry_run()) {
      dryRun();
    } else {
      hold();
    }
  }

 private:
  bool findRate() {
    const auto rate =
        trunk_->rate_plan.isSet() ? snapshot_->rates.find(trunk_->rate_plan, request_.called(), fromWire(request_.start())) : std::nullopt;
    if (!rate) {
      refuse(base::Reason::kNoRate, "rate",
             trunk_->rate_plan.isSet() ? "no rate for the number in plan " + std::to_string(trunk_->rate_plan.value())
                                       : "the trunk has no rate plan");
      return false;
    }
    rate_ = *rate;
    note("rate", "plan " + std::to_string(rate_.plan.value()) + " prefix " + (rate_.prefix.empty() ? "(any)" : rate_.prefix) + ": " +
                     describe(rate_));
    wanted_ = money::charge(rate_, std::chrono::ceil<std::chrono::seconds>(parts_.settings.quantum));
    least_ = money::firstBlockCost(rate_);
    return true;
  }

  void hold() {
    ReserveOrder order;
    order.call = context_.call_id;
    order.customer = customer_->id;
    order.trunk = trunk_->id;
    order.incoming_max = trunk_->incoming_max;
    order.cps_max = trunk_->incoming_cps_max;
    order.floor_micros = customer_->floor_micros;
    order.wanted_micros = wanted_;
    order.least_micros = least_;
    order.prepaid = customer_->prepaid;
    order.record = firstRecord(context_.call_id, request_, rate_);
    parts_.store.reserve(order, [self = shared_from_this()](base::Result<ReserveOutcome> outcome) {
      if (!outcome) {
        self->fail(std::move(outcome.error()));
        return;
      }
      self->onReserved(*outcome);
    });
  }

  // The same questions as the script's, without taking anything (REQUIREMENTS 10.6).
  void dryRun() {
    parts_.store.readAccount(customer_->id, trunk_->id, [self = shared_from_this()](base::Result<AccountView> seen) {
      if (!seen) {
        self->fail(std::move(seen.error()));
        return;
      }
      self->onReserved(self->wouldBe(*seen));
    });
  }

  [[nodiscard]] ReserveOutcome wouldBe(const AccountView& seen) const {
    ReserveOutcome outcome{ReserveStatus::kGranted, wanted_,           seen.posted_micros,
                           seen.held_micros,        seen.slots_in_use, seen.calls_this_second};
    if (!seen.found) {
      outcome.status = ReserveStatus::kMissing;
    } else if (trunk_->incoming_cps_max && seen.calls_this_second >= *trunk_->incoming_cps_max) {
      outcome.status = ReserveStatus::kCpsLimit;
    } else if (trunk_->incoming_max && seen.slots_in_use >= *trunk_->incoming_max) {
      outcome.status = ReserveStatus::kNoSlot;
    } else if (customer_->floor_micros) {
      const std::int64_t available = seen.posted_micros - seen.held_micros - *customer_->floor_micros;
      if (available < least_ || (customer_->prepaid && available <= 0)) {
        outcome.status = ReserveStatus::kNoCredit;
      }
      outcome.granted_micros = std::min(wanted_, available);
    }
    return outcome;
  }

  void onReserved(const ReserveOutcome& outcome) {
    const std::string slots = roomText(outcome.slots_in_use, trunk_->incoming_max) + " incoming calls in use";
    const std::string rate = roomText(outcome.calls_this_second, trunk_->incoming_cps_max) + " incoming calls this second";
    switch (outcome.status) {
      case ReserveStatus::kMissing:
        parts_.on_missing(customer_->id);
        fail({base::ErrorCode::kUnavailable, "the account of customer " + std::to_string(customer_->id.value()) + " is being rebuilt"});
        return;
      case ReserveStatus::kEnded:
        fail({base::ErrorCode::kConflict, "the call is over"});
        return;
      case ReserveStatus::kCpsLimit:
        refuse(base::Reason::kCpsLimit, "cps", rate);
        return;
      case ReserveStatus::kNoSlot:
        note("cps", rate);
        refuse(base::Reason::kConcurrentLimit, "incoming_slot", slots);
        return;
      case ReserveStatus::kNoCredit:
        note("cps", rate);
        note("incoming_slot", slots);
        refuse(base::Reason::kNoCredit, "credit", creditText(outcome));
        return;
      case ReserveStatus::kGranted:
      case ReserveStatus::kReplay:
        break;
    }
    granted_ = outcome.granted_micros;
    if (outcome.status == ReserveStatus::kGranted) {
      note("cps", rate);
      note("incoming_slot", slots);
    }
    note("credit", creditText(outcome) + ", holds " + money::formatDecimal(granted_) + " for " +
                       std::to_string(money::maxSecondsFor(rate_, granted_).count()) + " s");
    hunt(outcome.status == ReserveStatus::kReplay);
  }

  [[nodiscard]] std::string creditText(const ReserveOutcome& outcome) const {
    const std::string tail = ", needs " + money::formatDecimal(least_) + " for the first block";
    if (!customer_->floor_micros) {
      return "unlimited" + tail;
    }
    const std::int64_t available = outcome.posted_micros - outcome.held_before_micros - *customer_->floor_micros;
    return "available " + money::formatDecimal(available) + " " + customer_->currency.text() + " (balance " +
           money::formatDecimal(outcome.posted_micros) + ", held " + money::formatDecimal(outcome.held_before_micros) + ", floor " +
           money::formatDecimal(*customer_->floor_micros) + ")" + tail;
  }

  void hunt(bool replay) {
    if (request_.candidates().empty()) {
      grant(std::nullopt);
      return;
    }
    HuntOrder order;
    order.call = context_.call_id;
    order.called = request_.called();
    order.start = fromWire(request_.start());
    order.candidates.assign(request_.candidates().begin(), request_.candidates().end());
    order.by_load = request_.by_load();
    order.replay = replay;
    order.dry_run = request_.dry_run();
    Hunt::run(parts_.store, snapshot_, std::move(order), parts_.on_missing, [self = shared_from_this()](base::Result<HuntOutcome> outcome) {
      if (!outcome) {
        self->giveBack();
        self->fail(std::move(outcome.error()));
        return;
      }
      self->onHunted(std::move(*outcome));
    });
  }

  void onHunted(HuntOutcome outcome) {
    for (auto& step : outcome.trace) {
      *reply_.add_trace() = std::move(step);
    }
    if (!outcome.occupied) {
      giveBack();
      refuse(base::Reason::kNoTargetAvailable, "candidate",
             "none of the " + std::to_string(request_.candidates_size()) + " has a free slot");
      return;
    }
    if (!request_.dry_run() && isTooLate(context_)) {
      // The ingress has refused the call meanwhile.
      if (const TrunkView* carrier = snapshot_->trunks.find(outcome.trunk)) {
        parts_.store.vacate(context_.call_id, carrier->customer, carrier->id);
      }
      giveBack();
    }
    grant(std::move(outcome.occupied));
  }

  void giveBack() {
    if (!request_.dry_run()) {
      parts_.store.release(context_.call_id, customer_->id, trunk_->id, 0);
    }
  }

  void grant(std::optional<v1::Occupied> occupied) {
    v1::Reserved& reserved = *reply_.mutable_reserved();
    *reserved.mutable_rate() = toWire(rate_);
    reserved.set_held_micros(granted_);
    reserved.set_paid_seconds(static_cast<std::uint32_t>(money::maxSecondsFor(rate_, granted_).count()));
    reserved.set_heartbeat_seconds(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(parts_.settings.heartbeat).count()));
    if (occupied) {
      *reserved.mutable_occupied() = std::move(*occupied);
    }
    parts_.metrics.reserve_granted.add();
    responder_.reply(reply_);
  }

  void note(std::string check, std::string found) { *reply_.add_trace() = traceStep(std::move(check), std::move(found), true); }

  void refuse(base::Reason reason, std::string check, std::string detail) {
    *reply_.add_trace() = traceStep(std::move(check), detail, false);
    *reply_.mutable_refusal() = refusal(reason, std::move(detail));
    parts_.metrics.reserve_refused.add();
    responder_.reply(reply_);
  }

  void fail(base::Error error) {
    parts_.metrics.reserve_failed.add();
    telemetry::warn("reserve could not decide", {{"call_id", context_.call_id}, {"error", error.message}});
    responder_.fail(error);
  }

  // Passed in.
  const AdmissionParts& parts_;
  const bus::RpcContext context_;
  const v1::ReserveRequest request_;
  bus::Responder<v1::ReserveReply> responder_;
  // Derived.
  std::shared_ptr<const Snapshot> snapshot_;  // shared with the hunt
  const CustomerView* customer_ = nullptr;
  const TrunkView* trunk_ = nullptr;
  money::Rate rate_;
  std::int64_t wanted_ = 0;
  std::int64_t least_ = 0;
  std::int64_t granted_ = 0;
  v1::ReserveReply reply_;
};

// One Occupy: give back, then hunt on.
class Occupation : public std::enable_shared_from_this<Occupation> {
 public:
  Occupation(const AdmissionParts& parts, bus::RpcContext context, const v1::OccupyRequest& request,
             bus::Responder<v1::OccupyReply> responder)
      : parts_(parts), context_(std::move(context)), request_(request), responder_(std::move(responder)) {}

  void start() {
    snapshot_ = parts_.snapshots.get();
    if (!snapshot_) {
      fail({base::ErrorCode::kUnavailable, "no configuration yet"});
      return;
    }
    vacate(base::TrunkId(request_.release_trunk_id()));
    parts_.store.isEnded(context_.call_id, base::CustomerId(request_.customer_id()), [self = shared_from_this()](base::Result<bool> ended) {
      if (!ended) {
        self->fail(std::move(ended.error()));
      } else if (*ended) {
        self->fail({base::ErrorCode::kConflict, "the call is over"});
      } else {
        self->hunt();
      }
    });
  }

 private:
  void vacate(base::TrunkId trunk) {
    if (const TrunkView* held = snapshot_->trunks.find(trunk)) {
      parts_.store.vacate(context_.call_id, held->customer, held->id);
    }
  }

  void hunt() {
    HuntOrder order;
    order.call = context_.call_id;
    order.called = request_.called();
    order.start = fromWire(request_.start());
    order.candidates.assign(request_.candidates().begin(), request_.candidates().end());
    order.by_load = request_.by_load();
    Hunt::run(parts_.store, snapshot_, std::move(order), parts_.on_missing, [self = shared_from_this()](base::Result<HuntOutcome> outcome) {
      if (!outcome) {
        self->fail(std::move(outcome.error()));
        return;
      }
      self->onHunted(std::move(*outcome));
    });
  }

  void onHunted(HuntOutcome outcome) {
    v1::OccupyReply reply;
    if (outcome.occupied) {
      if (isTooLate(context_)) {
        vacate(outcome.trunk);
      }
      *reply.mutable_occupied() = std::move(*outcome.occupied);
      parts_.metrics.occupy_granted.add();
    } else {
      *reply.mutable_refusal() = refusal(base::Reason::kNoTargetAvailable, "no candidate has a free slot");
      for (auto& skipped : outcome.skipped) {
        *reply.add_skipped() = std::move(skipped);
      }
      parts_.metrics.occupy_refused.add();
    }
    responder_.reply(reply);
  }

  void fail(base::Error error) {
    parts_.metrics.occupy_failed.add();
    telemetry::warn("occupy could not decide", {{"call_id", context_.call_id}, {"error", error.message}});
    responder_.fail(error);
  }

  // Passed in.
  const AdmissionParts& parts_;
  const bus::RpcContext context_;
  const v1::OccupyRequest request_;
  bus::Responder<v1::OccupyReply> responder_;
  // Derived.
  std::shared_ptr<const Snapshot> snapshot_;  // shared with the hunt
};

}  // namespace

void Admission::reserve(const bus::RpcContext& context, const v1::ReserveRequest& request, bus::Responder<v1::ReserveReply> responder) {
  std::make_shared<Reservation>(parts_, context, request, std::move(responder))->start();
}

void Admission::occupy(const bus::RpcContext& context, const v1::OccupyRequest& request, bus::Responder<v1::OccupyReply> responder) {
  std::make_shared<Occupation>(parts_, context, request, std::move(responder))->start();
}

}  // namespace tollgate::billing
