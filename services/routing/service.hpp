// The routing service: the feed keeps its tables, the bus's threads answer from the snapshot. Stateless but for whose turn it is among
// the targets of a rule; any number of replicas.
#pragma once

#include <memory>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/bus/rpcs_routing.hpp"
#include "libs/feed/feed.hpp"
#include "libs/service/service.hpp"
#include "libs/sql/sql.hpp"
#include "services/routing/settings.hpp"
#include "services/routing/tables.hpp"

namespace tollgate::routing {

class RoutingService final : public service::Service {
 public:
  explicit RoutingService(Settings settings);
  ~RoutingService() override;

  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override;
  [[nodiscard]] service::Readiness ready() const override;
  void stop() override;

 private:
  struct Metrics;

  void answer(const routing::v1::RouteRequest& request, bus::Responder<routing::v1::RouteReply> responder);

  // Passed in.
  const Settings settings_;
  // Owned, in the order of making; taken apart the other way round.
  Tables tables_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<sql::Pool> pool_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<feed::Feed> feed_;
  std::unique_ptr<bus::RpcServer> server_;
};

}  // namespace tollgate::routing
