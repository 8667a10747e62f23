// What the request handlers of billing work with. Used on bus threads and on the Redis thread. Owns only the function; the objects outlive
// the handlers.
#pragma once

#include <functional>

#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/config/tables.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

struct HandlerDependencies {
  const ConfigTables& tables;
  CreditStore& store;
  BillingMetrics& metrics;
  const Settings& settings;
  std::function<void(base::CustomerId)> on_missing;  // the account is not in Redis and must be rebuilt
};

}  // namespace tollgate::billing
