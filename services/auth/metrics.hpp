// auth's metrics, made once at start-up, because looking a metric up costs more than a decision. Those of snapshot and feed are in
// libs/feed/metrics.hpp. count() from any thread, show() from the feed's thread.
#pragma once

#include <array>

#include "libs/base/enum_size.hpp"
#include "libs/base/reason.hpp"
#include "libs/telemetry/metrics.hpp"
#include "services/auth/authorize.hpp"

namespace tollgate::auth {

class Metrics {
 public:
  explicit Metrics(telemetry::Metrics& metrics);

  void count(const AuthorizeDecision& decision);
  void show(const Snapshot& snapshot);

  telemetry::Counter& network_lists;

 private:
  telemetry::Gauge& customers_;
  telemetry::Gauge& trunks_;
  telemetry::Gauge& networks_;
  telemetry::Gauge& widened_;
  std::array<telemetry::Counter*, base::enumSize(base::kLastReason)> requests_{};  // by base::Reason; kUnspecified = identified
};

}  // namespace tollgate::auth
