#include "services/auth/service.hpp"

#include "libs/telemetry/log.hpp"
#include "services/auth/wire.hpp"

namespace tollgate::auth {

AuthService::AuthService(const Settings& settings)
    : SnapshotService("auth", settings.snapshot, static_cast<std::size_t>(settings.networks_bytes_max)) {}

AuthService::~AuthService() {
  stop();
}

void AuthService::makeMetrics(telemetry::Metrics& metrics) {
  metrics_ = std::make_unique<Metrics>(metrics);
}

base::Result<void> AuthService::serve(bus::RpcServer& server) {
  return server.serveAll<v1::Auth>(*this);
}

void AuthService::onPublish(const Snapshot& snapshot) {
  metrics_->show(snapshot);
  const auto last = networks_reply_.load();
  if (last != nullptr && last->version() == snapshot.networks->version) {
    return;
  }
  (void)networks_reply_.exchange(std::make_shared<const v1::ListNetworksReply>(toReply(*snapshot.networks)));
  if (snapshot.networks->widened) {
    telemetry::warn("the list of networks was too long, so adjacent networks were joined",
                    {{"networks", static_cast<std::int64_t>(snapshot.networks->networks.size())}});
  }
}

void AuthService::authorize(const bus::RpcContext& /*context*/, const v1::AuthorizeRequest& request,
                            bus::Responder<v1::AuthorizeReply> responder) {
  const auto snapshot = snapshotFor(responder);
  if (snapshot == nullptr) {
    return;
  }
  const AuthorizeQuery query = toQuery(request);
  const AuthorizeDecision decision = auth::authorize(*snapshot, query);
  metrics_->count(decision);
  responder.reply(toReply(query, decision));
}

void AuthService::listNetworks(const bus::RpcContext& /*context*/, const v1::ListNetworksRequest& request,
                               bus::Responder<v1::ListNetworksReply> responder) {
  if (snapshotFor(responder) == nullptr) {
    return;
  }
  const auto reply = networks_reply_.load();
  if (request.known_version() == reply->version()) {
    responder.reply(unchangedReply(reply->version()));
    return;
  }
  metrics_->network_lists.add();
  responder.reply(*reply);
}

}  // namespace tollgate::auth
