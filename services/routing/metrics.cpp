#include "services/routing/metrics.hpp"

#include <string>

#include "libs/base/reason.hpp"

namespace tollgate::routing {

Metrics::Metrics(telemetry::Metrics& metrics)
    : customers_(metrics.gauge("tollgate_routing_customers_count", "customers in the snapshot")),
      trunks_(metrics.gauge("tollgate_routing_trunks_count", "trunks in the snapshot")),
      rules_(metrics.gauge("tollgate_routing_rules_count", "routing rules in the snapshot")),
      dialpeers_(metrics.gauge("tollgate_routing_dialpeers_count", "dialpeers in the snapshot")) {
  for (const auto& row : base::reasonTable()) {
    const std::string result(row.reason == base::Reason::kUnspecified ? "routed" : row.word);
    requests_[static_cast<std::size_t>(row.reason)] =
        &metrics.counter("tollgate_routing_requests_total", "route requests by result, dry runs included", {{"result", result}});
  }
}

void Metrics::count(const RouteDecision& decision) {
  const auto reason = decision.refusal ? decision.refusal->reason : base::Reason::kUnspecified;
  requests_[static_cast<std::size_t>(reason)]->add();
}

void Metrics::show(const Snapshot& snapshot) {
  customers_.set(static_cast<double>(snapshot.customers.size()));
  trunks_.set(static_cast<double>(snapshot.trunks.size()));
  rules_.set(static_cast<double>(snapshot.rules.size()));
  dialpeers_.set(static_cast<double>(snapshot.dialpeer_count));
}

}  // namespace tollgate::routing
