#include "services/billing/admission/admission.hpp"

#include <algorithm>

#include "services/billing/admission/call_request.hpp"
#include "services/billing/admission/window.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::billing {

namespace {

// What is known of the call. Kept with its hold and used for the CDR if the ingress instance is lost before the call is answered.
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
  *record.mutable_rate() = wire::toWire(rate);
  return answered.SerializeAsString();
}

// Checks one Reserve, step by step: rate, limits and credit of the customer, then a carrier's slot.
class Reservation final : public CallRequest<v1::ReserveRequest, v1::ReserveReply> {
 public:
  Reservation(const HandlerDependencies& deps, bus::RpcContext context, const v1::ReserveRequest& request,
              bus::Responder<v1::ReserveReply> responder)
      : CallRequest(deps, deps.metrics.reserve, std::move(context), request, std::move(responder)) {}

  void start() {
    if (!loadSnapshot()) {
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
      refuseFor(base::Reason::kConcurrentLimit, "incoming_slot", "incoming calls are off (limit 0)");
      return;
    }
    hold();
  }

 private:
  // False: there is none, and the request is refused.
  [[nodiscard]] bool findRate() {
    const auto rate = trunk_->rate_plan.isSet()
                          ? snapshot_->rates.find(trunk_->rate_plan, request_.called(), wire::fromWire(request_.start()))
                          : std::nullopt;
    if (!rate) {
      refuseFor(base::Reason::kNoRate, "rate",
                trunk_->rate_plan.isSet() ? "no rate for the number in plan " + std::to_string(trunk_->rate_plan.value())
                                          : "the trunk has no rate plan");
      return false;
    }
    rate_ = *rate;
    addStep("rate", "plan " + std::to_string(rate_.plan.value()) + " prefix " + (rate_.prefix.empty() ? "(any)" : rate_.prefix) + ": " +
                        describe(rate_));
    window_ = holdWindow(deps_.settings, rate_, std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(deps_.settings.quantum),
                         std::chrono::seconds(0));
    least_micros_ = money::firstBlockCost(rate_);
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
    order.window = window_;
    order.instance = request_.instance();
    order.least_micros = least_micros_;
    order.prepaid = customer_->prepaid;
    order.record = firstRecord(context_.call_id, request_, rate_);
    order.dry_run = request_.dry_run();
    deps_.store.reserve(order, [self = std::static_pointer_cast<Reservation>(shared_from_this())](base::Result<ReserveOutcome> outcome) {
      if (!outcome) {
        // The step may have been executed, or will be when Redis comes to it. Commands are executed in their order.
        self->giveBack();
        self->fail(outcome.error());
        return;
      }
      self->held_ = outcome->status == ReserveStatus::kGranted && !self->request_.dry_run();
      self->onReserved(*outcome);
    });
  }

  void onReserved(const ReserveOutcome& outcome) {
    const std::string slots = usageText(outcome.slots_in_use, trunk_->incoming_max) + " incoming calls in use";
    const std::string rate = usageText(outcome.calls_this_second, trunk_->incoming_cps_max) + " incoming calls this second";
    switch (outcome.status) {
      case ReserveStatus::kMissing:
        deps_.on_missing(customer_->id);
        fail({base::ErrorCode::kUnavailable, "the account of customer " + std::to_string(customer_->id.value()) + " is being rebuilt"});
        return;
      case ReserveStatus::kEnded:
        fail({base::ErrorCode::kConflict, "the call has ended"});
        return;
      case ReserveStatus::kCpsLimit:
        refuseFor(base::Reason::kCpsLimit, "cps", rate);
        return;
      case ReserveStatus::kNoSlot:
        addStep("cps", rate);
        refuseFor(base::Reason::kConcurrentLimit, "incoming_slot", slots);
        return;
      case ReserveStatus::kNoCredit:
        addStep("cps", rate);
        addStep("incoming_slot", slots);
        refuseFor(base::Reason::kNoCredit, "credit", creditText(outcome));
        return;
      case ReserveStatus::kGranted:
      case ReserveStatus::kReplay:
        break;
    }
    granted_micros_ = outcome.granted_micros;
    if (outcome.status == ReserveStatus::kGranted) {
      addStep("cps", rate);
      addStep("incoming_slot", slots);
    }
    addStep("credit", creditText(outcome) + ", holds " + money::formatDecimal(granted_micros_) + " for " +
                          std::to_string(money::maxSecondsFor(rate_, granted_micros_).count()) + " s");
    if (request_.candidates().empty()) {
      finish(std::nullopt);
    } else {
      hunt(outcome.status == ReserveStatus::kReplay, request_.dry_run());
    }
  }

  [[nodiscard]] std::string creditText(const ReserveOutcome& outcome) const {
    const std::string tail = ", needs " + money::formatDecimal(least_micros_) + " for the first block";
    if (!customer_->floor_micros) {
      return "unlimited" + tail;
    }
    const std::int64_t available = outcome.posted_micros - outcome.held_before_micros - *customer_->floor_micros;
    return "available " + money::formatDecimal(available) + " " + customer_->currency.text() + " (balance " +
           money::formatDecimal(outcome.posted_micros) + ", held " + money::formatDecimal(outcome.held_before_micros) + ", floor " +
           money::formatDecimal(*customer_->floor_micros) + ")" + tail;
  }

  void onCarrier(HuntOutcome outcome) override {
    addTrace(outcome);
    finish(std::move(outcome.occupied));
  }

  void onNoCarrier(HuntOutcome outcome) override {
    addTrace(outcome);
    refuseFor(base::Reason::kNoTargetAvailable, "candidate",
              "none of the " + std::to_string(request_.candidates_size()) + " has a free slot");
  }

  void giveBack() override {
    if (!request_.dry_run()) {
      deps_.store.release({.call = context_.call_id, .customer = customer_->id, .trunk = trunk_->id});
    }
  }

  void undo() override {
    if (held_) {
      giveBack();
    }
  }

  void finish(std::optional<v1::Occupied> occupied) {
    v1::Reserved& reserved = *reply_.mutable_reserved();
    *reserved.mutable_rate() = wire::toWire(rate_);
    reserved.set_held_micros(granted_micros_);
    reserved.set_paid_seconds(static_cast<std::uint32_t>(money::maxSecondsFor(rate_, granted_micros_).count()));
    reserved.set_heartbeat_seconds(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(deps_.settings.heartbeat).count()));
    if (occupied) {
      *reserved.mutable_occupied() = std::move(*occupied);
    }
    grant(reply_);
  }

  void addTrace(HuntOutcome& outcome) {
    for (common::v1::TraceStep& step : outcome.trace) {
      *reply_.add_trace() = std::move(step);
    }
  }

  void addStep(std::string check, std::string found) { *reply_.add_trace() = traceStep(std::move(check), std::move(found), true); }

  void refuseFor(base::Reason reason, std::string check, std::string detail) {
    *reply_.add_trace() = traceStep(std::move(check), detail, false);
    *reply_.mutable_refusal() = refusal(reason, std::move(detail));
    refuse(reply_);
  }

  // Derived.
  const CustomerView* customer_ = nullptr;
  const TrunkView* trunk_ = nullptr;
  money::Rate rate_;
  HoldWindow window_;
  std::int64_t least_micros_ = 0;  // the first block
  std::int64_t granted_micros_ = 0;
  bool held_ = false;  // this request took a hold and an incoming slot
  v1::ReserveReply reply_;
};

// One Occupy: gives the slot of the carrier that failed back, then looks for the next carrier.
class Occupation final : public CallRequest<v1::OccupyRequest, v1::OccupyReply> {
 public:
  Occupation(const HandlerDependencies& deps, bus::RpcContext context, const v1::OccupyRequest& request,
             bus::Responder<v1::OccupyReply> responder)
      : CallRequest(deps, deps.metrics.occupy, std::move(context), request, std::move(responder)) {}

  void start() {
    if (!loadSnapshot()) {
      return;
    }
    vacate(base::TrunkId(request_.release_trunk_id()));
    deps_.store.isEnded(context_.call_id, base::CustomerId(request_.customer_id()), orFail<bool>([this](bool ended) {
                          if (ended) {
                            fail({base::ErrorCode::kConflict, "the call has ended"});
                          } else {
                            hunt(false, false);
                          }
                        }));
  }

 private:
  void onCarrier(HuntOutcome outcome) override {
    v1::OccupyReply reply;
    *reply.mutable_occupied() = std::move(*outcome.occupied);
    grant(reply);
  }

  void onNoCarrier(HuntOutcome outcome) override {
    v1::OccupyReply reply;
    *reply.mutable_refusal() = refusal(base::Reason::kNoTargetAvailable, "no candidate has a free slot");
    for (v1::Skipped& skipped : outcome.skipped) {
      *reply.add_skipped() = std::move(skipped);
    }
    refuse(reply);
  }
};

}  // namespace

void Admission::reserve(const bus::RpcContext& context, const v1::ReserveRequest& request, bus::Responder<v1::ReserveReply> responder) {
  std::make_shared<Reservation>(deps_, context, request, std::move(responder))->start();
}

void Admission::occupy(const bus::RpcContext& context, const v1::OccupyRequest& request, bus::Responder<v1::OccupyReply> responder) {
  std::make_shared<Occupation>(deps_, context, request, std::move(responder))->start();
}

}  // namespace tollgate::billing
