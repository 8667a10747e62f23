#include "services/billing/accounts/queries.hpp"

#include <memory>
#include <mutex>

#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

namespace {

constexpr int kTrunksMax = 10000;

// Gathers the two counts of each trunk; the last count to arrive sends the reply.
class LoadCount : public std::enable_shared_from_this<LoadCount> {
 public:
  explicit LoadCount(bus::Responder<v1::TrunkLoadReply> responder) : responder_(std::move(responder)) {}

  void start(CreditStore& store, const Snapshot& snapshot, const v1::TrunkLoadRequest& request) {
    for (const std::int64_t id : request.trunk_ids()) {
      reply_.add_loads()->set_trunk_id(id);
    }
    left_ = static_cast<std::size_t>(request.trunk_ids_size()) * 2 + 1;
    for (int i = 0; i < request.trunk_ids_size(); ++i) {
      const TrunkView* trunk = snapshot.trunks.find(base::TrunkId(request.trunk_ids(i)));
      if (trunk == nullptr) {
        onCount(i, true, std::int64_t{0});
        onCount(i, false, std::int64_t{0});
        continue;
      }
      const auto counted = [self = shared_from_this(), i](bool incoming) {
        return [self, i, incoming](base::Result<std::int64_t> used) { self->onCount(i, incoming, std::move(used)); };
      };
      store.count(keys::incoming(trunk->customer, trunk->id), counted(true));
      store.count(keys::outgoing(trunk->customer, trunk->id), counted(false));
    }
    finishOne();
  }

 private:
  void onCount(int index, bool incoming, base::Result<std::int64_t> used) {
    {
      const std::lock_guard lock(mutex_);
      if (!used) {
        error_ = used.error();
      } else if (incoming) {
        reply_.mutable_loads(index)->set_incoming(static_cast<std::uint32_t>(*used));
      } else {
        reply_.mutable_loads(index)->set_outgoing(static_cast<std::uint32_t>(*used));
      }
    }
    finishOne();
  }

  void finishOne() {
    {
      const std::lock_guard lock(mutex_);
      if (--left_ != 0) {
        return;
      }
    }
    if (error_) {
      responder_.fail(*error_);
    } else {
      responder_.reply(reply_);
    }
  }

  // Passed in.
  bus::Responder<v1::TrunkLoadReply> responder_;
  // Derived. Under the mutex, because counts may arrive on the Redis thread while start() still runs on the bus thread.
  std::mutex mutex_;
  std::size_t left_ = 0;
  std::optional<base::Error> error_;
  v1::TrunkLoadReply reply_;
};

}  // namespace

void Queries::balance(const v1::BalanceRequest& request, bus::Responder<v1::BalanceReply> responder) {
  const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
  const CustomerView* customer = snapshot ? snapshot->customers.find(base::CustomerId(request.customer_id())) : nullptr;
  if (customer == nullptr) {
    responder.fail({base::ErrorCode::kNotFound, "customer " + std::to_string(request.customer_id()) + " is not in the configuration"});
    return;
  }
  auto shared = std::make_shared<bus::Responder<v1::BalanceReply>>(std::move(responder));
  deps_.store.readAccount(customer->id, base::TrunkId(), [this, shared, snapshot, customer](base::Result<AccountView> seen) {
    if (!seen) {
      shared->fail(seen.error());
      return;
    }
    if (!seen->found) {
      deps_.on_missing(customer->id);
      shared->fail(
          {base::ErrorCode::kUnavailable, "the account of customer " + std::to_string(customer->id.value()) + " is being rebuilt"});
      return;
    }
    v1::BalanceReply reply;
    reply.mutable_posted()->set_micros(seen->posted_micros);
    reply.mutable_posted()->set_currency(customer->currency.text());
    reply.set_held_micros(seen->held_micros);
    reply.set_floor_micros(customer->floor_micros.value_or(0));
    reply.set_unlimited(!customer->floor_micros.has_value());
    reply.set_available_micros(seen->posted_micros - seen->held_micros - customer->floor_micros.value_or(0));
    reply.set_live_holds(static_cast<std::uint32_t>(seen->live_holds));
    shared->reply(reply);
  });
}

void Queries::trunkLoads(const v1::TrunkLoadRequest& request, bus::Responder<v1::TrunkLoadReply> responder) {
  const std::shared_ptr<const Snapshot> snapshot = deps_.tables.current();
  if (!snapshot) {
    responder.fail({base::ErrorCode::kUnavailable, "no configuration has been loaded yet"});
    return;
  }
  if (request.trunk_ids_size() > kTrunksMax) {
    responder.fail({base::ErrorCode::kOverLimit, "at most " + std::to_string(kTrunksMax) + " trunks at a time"});
    return;
  }
  std::make_shared<LoadCount>(std::move(responder))->start(deps_.store, *snapshot, request);
}

}  // namespace tollgate::billing
