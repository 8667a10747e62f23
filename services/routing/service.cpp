#include "services/routing/service.hpp"

#include "services/routing/wire.hpp"

namespace tollgate::routing {

RoutingService::RoutingService(const Settings& settings) : SnapshotService("routing", settings.snapshot) {}

RoutingService::~RoutingService() {
  stop();
}

void RoutingService::makeMetrics(telemetry::Metrics& metrics) {
  metrics_ = std::make_unique<Metrics>(metrics);
}

base::Result<void> RoutingService::serve(bus::RpcServer& server) {
  return server.serveAll<v1::Routing>(*this);
}

void RoutingService::onPublish(const Snapshot& snapshot) {
  metrics_->show(snapshot);
}

void RoutingService::route(const bus::RpcContext& /*context*/, const v1::RouteRequest& request, bus::Responder<v1::RouteReply> responder) {
  const auto snapshot = snapshotFor(responder);
  if (snapshot == nullptr) {
    return;
  }
  const RouteDecision decision = routing::route(*snapshot, toQuery(request));
  metrics_->count(decision);
  responder.reply(toReply(decision));
}

}  // namespace tollgate::routing
