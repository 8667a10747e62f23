// What Reserve and Occupy have in common: one request that is answered later, from the configuration it began with, and the search for a
// carrier with a free slot. What a request took is given back when its answer cannot be sent in time, because the ingress has refused the
// call by then (REQUIREMENTS 9.5). Private to admission.
//
// Threads: begins on a bus thread, continues on the Redis thread, never on both at the same time. Owns: the request and its responder; the
// callbacks that are under way share the object and keep it alive.
#pragma once

#include <memory>
#include <utility>

#include "libs/bus/rpc.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/admission/dependencies.hpp"
#include "services/billing/admission/hunt.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

template <class Request, class Reply>
class CallRequest : public std::enable_shared_from_this<CallRequest<Request, Reply>> {
 public:
  CallRequest(const CallRequest&) = delete;
  CallRequest& operator=(const CallRequest&) = delete;
  virtual ~CallRequest() = default;

 protected:
  CallRequest(const HandlerDependencies& deps, RequestCounters& counters, bus::RpcContext context, const Request& request,
              bus::Responder<Reply> responder)
      : deps_(deps), counters_(counters), context_(std::move(context)), request_(request), responder_(std::move(responder)) {}

  // Called once by hunt(): a carrier's slot is taken, or would be in a dry run.
  virtual void onCarrier(HuntOutcome outcome) = 0;
  // Called once by hunt(): no candidate has a free slot, and everything is given back.
  virtual void onNoCarrier(HuntOutcome outcome) = 0;
  // Gives back what was taken before the hunt. Called when the request is refused or fails.
  virtual void giveBack() {}
  // The same, for an answer that was not sent: only what this request itself took. A repeated request takes nothing; what it found belongs
  // to a call that may be going on.
  virtual void undo() {}

  // False: there is no configuration yet, and the request has failed.
  [[nodiscard]] bool loadSnapshot() {
    snapshot_ = deps_.tables.current();
    if (!snapshot_) {
      fail({base::ErrorCode::kUnavailable, "no configuration has been loaded yet"});
    }
    return snapshot_ != nullptr;
  }

  // A completion of the store that goes on with the outcome, or fails the request.
  template <class T>
  [[nodiscard]] Then<T> orFail(std::function<void(const T&)> next) {
    return [self = this->shared_from_this(), next = std::move(next)](const base::Result<T>& outcome) {
      outcome ? next(*outcome) : self->fail(outcome.error());
    };
  }

  void hunt(bool replay, bool dry_run) {
    if (!dry_run && context_.isLate()) {
      undo();
      fail({base::ErrorCode::kTimeout, "the ingress has stopped waiting"});
      return;
    }
    HuntOrder order;
    order.call = context_.call_id;
    order.called = request_.called();
    order.start = wire::fromWire(request_.start());
    order.candidates.assign(request_.candidates().begin(), request_.candidates().end());
    order.by_load = request_.by_load();
    order.replay = replay;
    order.dry_run = dry_run;
    Hunt::run(deps_.store, snapshot_, std::move(order), deps_.on_missing,
              [self = this->shared_from_this()](base::Result<HuntOutcome> outcome) { self->onHunted(std::move(outcome)); });
  }

  // Gives a carrier's slot back.
  void vacate(base::TrunkId trunk) {
    if (const TrunkView* carrier = snapshot_->trunks.find(trunk)) {
      deps_.store.vacate(context_.call_id, carrier->customer, carrier->id);
    }
  }

  void grant(const Reply& reply) {
    counters_.granted.add();
    responder_.reply(reply, [self = this->shared_from_this()] { self->undoAll(); });
  }

  void refuse(const Reply& reply) {
    counters_.refused.add();
    responder_.reply(reply);
  }

  void fail(const base::Error& error) {
    counters_.failed.add();
    telemetry::warn("request of a call could not be decided",
                    {{"request", Request::descriptor()->name()}, {"call_id", context_.call_id}, {"error", error.message}});
    responder_.fail(error);
  }

  // Passed in.
  const HandlerDependencies& deps_;
  RequestCounters& counters_;
  const bus::RpcContext context_;
  const Request request_;
  // Derived.
  std::shared_ptr<const Snapshot> snapshot_;  // shared with the hunt

 private:
  void onHunted(base::Result<HuntOutcome> outcome) {
    if (!outcome) {
      giveBack();
      fail(outcome.error());
      return;
    }
    if (!outcome->occupied) {
      giveBack();
      onNoCarrier(std::move(*outcome));
      return;
    }
    if (outcome->taken) {
      slot_taken_ = outcome->trunk;
    }
    onCarrier(std::move(*outcome));
  }

  void undoAll() {
    vacate(slot_taken_);
    undo();
  }

  // Passed in.
  bus::Responder<Reply> responder_;
  // Derived.
  base::TrunkId slot_taken_;  // by this request; 0 = none
};

}  // namespace tollgate::billing
