#include "services/auth/metrics.hpp"

#include <string>

#include "libs/base/reason.hpp"

namespace tollgate::auth {

Metrics::Metrics(telemetry::Metrics& metrics)
    : network_lists(metrics.counter("tollgate_auth_network_lists_total", "lists of networks sent")),
      customers_(metrics.gauge("tollgate_auth_customers_count", "customers in the snapshot")),
      trunks_(metrics.gauge("tollgate_auth_trunks_count", "trunks in the snapshot")),
      networks_(metrics.gauge("tollgate_auth_networks_count", "networks on the list that the ingress gets")),
      widened_(metrics.gauge("tollgate_auth_networks_widened", "1 when that list was too long and adjacent networks were joined")) {
  for (const auto& row : base::reasonTable()) {
    const std::string result(row.reason == base::Reason::kUnspecified ? "identified" : row.word);
    requests_[static_cast<std::size_t>(row.reason)] =
        &metrics.counter("tollgate_auth_requests_total", "authorize requests by result, dry runs included", {{"result", result}});
  }
}

void Metrics::count(const AuthorizeDecision& decision) {
  const auto reason = decision.refusal ? decision.refusal->reason : base::Reason::kUnspecified;
  requests_[static_cast<std::size_t>(reason)]->add();
}

void Metrics::show(const Snapshot& snapshot) {
  customers_.set(static_cast<double>(snapshot.customers.size()));
  trunks_.set(static_cast<double>(snapshot.trunks.size()));
  networks_.set(static_cast<double>(snapshot.networks->networks.size()));
  widened_.set(snapshot.networks->widened ? 1 : 0);
}

}  // namespace tollgate::auth
