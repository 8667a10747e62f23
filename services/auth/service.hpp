// The auth service: the feed keeps its tables, the bus's threads answer from the snapshot. It has no other state; any number of replicas.
// Thread: as feed::SnapshotService.
#pragma once

#include <memory>

#include "libs/base/published.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/feed/snapshot_service.hpp"
#include "services/auth/metrics.hpp"
#include "services/auth/settings.hpp"
#include "services/auth/tables.hpp"
#include "tollgate/auth/v1/auth.rpc.h"

namespace tollgate::auth {

class AuthService final : public feed::SnapshotService<Tables> {
 public:
  explicit AuthService(const Settings& settings);
  ~AuthService() override;

  // The RPCs. Bus threads.
  void authorize(const bus::RpcContext& context, const v1::AuthorizeRequest& request, bus::Responder<v1::AuthorizeReply> responder);
  void listNetworks(const bus::RpcContext& context, const v1::ListNetworksRequest& request,
                    bus::Responder<v1::ListNetworksReply> responder);

 private:
  void makeMetrics(telemetry::Metrics& metrics) override;
  [[nodiscard]] base::Result<void> serve(bus::RpcServer& server) override;
  void onPublish(const Snapshot& snapshot) override;

  // Owned.
  std::unique_ptr<Metrics> metrics_;
  // The answer to list_networks. The feed's thread makes it, because it may be megabytes. Shared with the requests that are being answered.
  // Set before the first snapshot is in force.
  base::Published<v1::ListNetworksReply> networks_reply_;
};

}  // namespace tollgate::auth
