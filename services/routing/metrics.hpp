// routing's metrics, made once at start-up, because looking a metric up costs more than a decision. Those of snapshot and feed are in
// libs/feed/metrics.hpp. count() from any thread, show() from the feed's thread.
#pragma once

#include <array>

#include "libs/base/enum_size.hpp"
#include "libs/base/reason.hpp"
#include "libs/telemetry/metrics.hpp"
#include "services/routing/route.hpp"

namespace tollgate::routing {

class Metrics {
 public:
  explicit Metrics(telemetry::Metrics& metrics);

  void count(const RouteDecision& decision);
  void show(const Snapshot& snapshot);

 private:
  telemetry::Gauge& customers_;
  telemetry::Gauge& trunks_;
  telemetry::Gauge& rules_;
  telemetry::Gauge& dialpeers_;
  std::array<telemetry::Counter*, base::enumSize(base::kLastReason)> requests_{};  // by base::Reason; kUnspecified = routed
};

}  // namespace tollgate::routing
