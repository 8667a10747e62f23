// The routing service: the feed keeps its tables, the bus's threads answer from the snapshot. Its only other state is whose turn it is
// among the targets of each rule, separately in each replica; any number of replicas. Thread: as feed::SnapshotService.
#pragma once

#include <memory>

#include "libs/bus/rpc.hpp"
#include "libs/feed/snapshot_service.hpp"
#include "services/routing/metrics.hpp"
#include "services/routing/settings.hpp"
#include "services/routing/tables.hpp"
#include "tollgate/routing/v1/routing.rpc.h"

namespace tollgate::routing {

class RoutingService final : public feed::SnapshotService<Tables> {
 public:
  explicit RoutingService(const Settings& settings);
  ~RoutingService() override;

  // The RPC. Bus threads.
  void route(const bus::RpcContext& context, const v1::RouteRequest& request, bus::Responder<v1::RouteReply> responder);

 private:
  void makeMetrics(telemetry::Metrics& metrics) override;
  [[nodiscard]] base::Result<void> serve(bus::RpcServer& server) override;
  void onPublish(const Snapshot& snapshot) override;

  // Owned.
  std::unique_ptr<Metrics> metrics_;
};

}  // namespace tollgate::routing
