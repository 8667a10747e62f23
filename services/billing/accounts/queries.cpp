#include "services/billing/accounts/queries.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

namespace {

constexpr int kTrunksMax = 10000;

// Gathers the two counts of each trunk; the last count to arrive sends the reply. After start() the Redis thread only.
class LoadCount : public std::enable_shared_from_this<LoadCount> {
 public:
  explicit LoadCount(bus::Responder<v1::TrunkLoadReply> responder) : responder_(std::move(responder)) {}

  void start(CreditStore& store, const Snapshot& snapshot, const v1::TrunkLoadRequest& request) {
    std::vector<std::pair<std::string, Setter>> counts;
    for (const std::int64_t id : request.trunk_ids()) {
      v1::TrunkLoad& load = *reply_.add_loads();
      load.set_trunk_id(id);
      if (const TrunkView* trunk = snapshot.trunks.find(base::TrunkId(id))) {
        counts.emplace_back(keys::incoming(trunk->customer, trunk->id), [&load](std::uint32_t used) { load.set_incoming(used); });
        counts.emplace_back(keys::outgoing(trunk->customer, trunk->id), [&load](std::uint32_t used) { load.set_outgoing(used); });
      }
    }
    left_ = counts.size();
    if (left_ == 0) {
      responder_.reply(reply_);
    }
    for (const auto& [key, set] : counts) {
      store.count(key, [self = shared_from_this(), set = set](const base::Result<std::int64_t>& used) { self->onCount(set, used); });
    }
  }

 private:
  using Setter = std::function<void(std::uint32_t)>;

  void onCount(const Setter& set, const base::Result<std::int64_t>& used) {
    if (used) {
      set(static_cast<std::uint32_t>(*used));
    } else {
      error_ = used.error();
    }
    if (--left_ == 0) {
      error_ ? responder_.fail(*error_) : responder_.reply(reply_);
    }
  }

  // Passed in.
  bus::Responder<v1::TrunkLoadReply> responder_;
  // Derived.
  std::size_t left_ = 0;
  std::optional<base::Error> error_;
  v1::TrunkLoadReply reply_;  // a repeated field of messages keeps their addresses
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
